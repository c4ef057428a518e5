"""What a process that prepares batches does before its first one."""

from __future__ import annotations

import os
import signal

import cv2
import torch

from ensemble.stopping import end_with_parent


def start_worker(_worker: int) -> None:
    """One worker, one thread: the step's threads own the other cores. And it ends with the process that trains.

    Ctrl-C, and signals to the group of processes as batch systems send them, are for the process that trains: it
    answers them, and ends its workers.
    """
    # Elsewhere than on Linux torch's worker looks every five seconds whether its parent still lives.
    end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
