"""What is said when a worker process ends; ``tests/end_to_end/test_survival.py`` kills one within an epoch."""

from __future__ import annotations

import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader

from ensemble.data.worker import start_worker, watched_workers
from ensemble.errors import WorkerDied


class Squares(torch.utils.data.Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> int:
        return row * row


def test_a_worker_that_dies_between_two_epochs_is_named() -> None:
    loader = DataLoader(Squares(), batch_size=None, num_workers=1, persistent_workers=True, worker_init_fn=start_worker)
    with watched_workers(loader) as batches:
        assert list(batches) == [0, 1, 4, 9]
    (worker,) = loader._iterator._workers  # type: ignore[union-attr]
    os.kill(worker.pid, signal.SIGKILL)
    said = rf"process {worker.pid} was killed \(SIGKILL\).*the same command goes on"
    with pytest.raises(WorkerDied, match=said), watched_workers(loader) as batches:
        list(batches)
