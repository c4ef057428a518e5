"""Processes that prepare batches: what one does before its first batch, and what is said when one dies."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

import cv2
import torch
from torch.utils.data import DataLoader

from ensemble.errors import WorkerDied
from ensemble.stopping import end_only_for_parent, end_with_parent, held_back

Made = TypeVar("Made")

_ENDING_SECONDS = 1.0  # a connection may end a moment before its process does


def start_worker(_worker: int) -> None:
    """One worker, one thread: the step's threads own the other cores. And it ends with the process that trains.

    Ctrl-C, and SIGTERM as batch systems send it to every process of a job, are for the process that trains: it answers
    them, and ends its workers.
    """
    # What the process that trains no longer uses is not this one's to clear away: a GPU's memory cannot be freed here.
    gc.freeze()
    # Elsewhere than on Linux torch's worker looks every five seconds whether its parent still lives.
    end_with_parent(signal.SIGKILL)
    end_only_for_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.setpgid(0, 0)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


@contextmanager
def watched_workers(loader: DataLoader[Made]) -> Iterator[Iterator[Made]]:
    """The batches of ``loader``, whose death of a worker is one error, raised where the next batch is asked for.

    torch would have the signal of a child's end raise it wherever the program happens to be: in the middle of a write,
    or once more while the first error is told. It looks every five seconds as well, which is soon enough.

    Raises:
        WorkerDied: A worker process was killed.
    """
    before = signal.getsignal(signal.SIGCHLD)
    try:
        # Those that are started here get no signal until they are ready for it.
        if loader.num_workers and _iterator(loader) is None:
            gc.collect()  # see start_worker; they may clear away before they get there
        with nullcontext() if _iterator(loader) else held_back(signal.SIGINT, signal.SIGTERM):
            batches = iter(loader)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, before)
        yield batches
    except (RuntimeError, OSError, EOFError) as error:
        # Whatever the end of a connection looks like: it is told as what it is, if a worker has ended.
        if not (ended := _ended(getattr(_iterator(loader), "_workers", []))):
            raise
        raise WorkerDied(_said_of_death(ended, loader.num_workers)) from error


def _iterator(loader: DataLoader[Made]) -> object:
    """What holds the workers, once they are started: they stay from epoch to epoch."""
    return getattr(loader, "_iterator", None)


def _ended(workers: Sequence[BaseProcess]) -> list[BaseProcess]:
    ready = wait([worker.sentinel for worker in workers], timeout=_ENDING_SECONDS)
    for worker in workers:
        if worker.sentinel in ready:
            worker.join(_ENDING_SECONDS)  # its files are closed, but only its parent's waiting gives its exit code
    return [worker for worker in workers if worker.exitcode is not None]


def _said_of_death(ended: Sequence[BaseProcess], workers: int) -> str:
    how = {
        signal.Signals(-code).name if (code := worker.exitcode or 0) < 0 else f"exit code {code}" for worker in ended
    }
    return (
        f"data worker process {', '.join(str(worker.pid) for worker in ended)} was killed ({', '.join(sorted(how))}), "
        "as the system does when memory runs out. The last checkpoint is kept and the same command goes on; fewer "
        f"--workers than {workers} take less memory (0: none)"
    )
