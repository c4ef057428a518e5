"""A fold that one process began and two finish is the fold of one process, but for rounding."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble import demo, train
from ensemble.errors import Unfinished
from ensemble.predictions import read_predictions
from ensemble.report.progress import FoldProgress

# No batch normalisation, whose statistics are each process's own, and nothing that is drawn at random within a step.
RECIPE = """# A small member for tests; 40 rows make batches of 9, 9, 9, 9 and 4.
data:      {image_size: 16, n_folds: 2}
augment:   [{HorizontalFlip: {p: 0.5}}]
model:     {name: vit_tiny_patch16_224, args: {depth: 1}}
optimizer: {name: adamw, lr: 1e-3}
training:  {epochs: 2, batch_size: 9, accumulation_steps: 2, ema_decay: 0.9}
precision: float32
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms, some of whose labels are missing."""
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    assert demo.main([str(folder), "--images", "80"]) == 0
    (folder / "dataset.yaml").unlink()
    table = folder / "train_labels.csv"
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    for place in range(0, len(rows), 3):
        image_id, *labels = rows[place].split(",")
        rows[place] = ",".join([image_id, "", *labels[1:]])
    table.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return folder


def arguments(folder: Path, dataset: Path) -> list[str]:
    (folder / "small.yaml").write_text(RECIPE, encoding="utf-8")
    paths = ["--data", str(dataset), "--runs", str(folder / "runs")]
    return [str(folder / "small.yaml"), *paths, "--fold", "0", "--device", "cpu", "--threads", "1"]


def by_two_processes(words: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, what was printed, and what was complained of, by each."""
    with socket.socket() as free:
        port = 20_000 + os.getpid() % 10_000  # systems give connections higher ones: nobody takes it meanwhile
        while free.connect_ex(("127.0.0.1", port)) == 0:
            port += 1
    world = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = []
    for rank in range(2):
        environment = {**os.environ, **{k: str(v) for k, v in {**world, "RANK": rank, "LOCAL_RANK": rank}.items()}}
        command = [sys.executable, "-m", "ensemble.train", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))  # type: ignore[call-overload]
    try:  # each imports torch: more than a minute where many share the cores
        said = [process.communicate(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for another would go on
    return [(process.returncode, *pair) for process, pair in zip(processes, said, strict=True)]


def test_two_processes_finish_what_one_began(
    dataset: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    assert train.main(arguments(alone, dataset)) == 0
    with monkeypatch.context() as patched:
        asked = []

        def stop(self: FoldProgress, images: int, mean_loss: Callable[[], float]) -> None:
            if not asked:
                asked.append(images)
                os.kill(os.getpid(), signal.SIGTERM)

        patched.setattr(FoldProgress, "batch_done", stop)
        with pytest.raises(Unfinished, match="stopped by SIGTERM, in epoch 1 of 2"):
            train.main(arguments(together, dataset))
    first, second = by_two_processes(arguments(together, dataset))
    assert (first[0], first[2], second) == (0, "", (0, "", "")), (first, second)
    assert "1 thread in each of 2 processes" in first[1]
    assert "was started with 1 and goes on with 2 processes" in first[1]

    folders = [folder / "runs" / "phantoms" / "small" / "fold_0" for folder in (alone, together)]
    facts = [json.loads((folder / "run.json").read_text()) for folder in folders]
    assert [(one["processes"], one["threads"], one["resumed_from_image"]) for one in facts] == [(1, 1, 0), (2, 1, 18)]
    assert not (folders[1] / "checkpoint.pt").exists()
    for split in ("oof", "holdout", "test"):
        one, other = (read_predictions(folder / f"{split}.parquet") for folder in folders)
        assert list(other.image_ids) == list(one.image_ids)
        np.testing.assert_allclose(other.values, one.values, rtol=0, atol=1e-4)
