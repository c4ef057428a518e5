"""What a process that prepares batches does before its first one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import cv2
import torch

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def start_worker(_worker: int) -> None:
    """One worker, one thread: the step's threads own the other cores. And it ends with the process that trains.

    Ctrl-C, and signals to the group of processes as batch systems send them, are for the process that trains: it
    answers them, and ends its workers.
    """
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """Let Linux kill this process when its parent is killed, as ``kill -9`` gives nobody time to tell it.

    Elsewhere torch's worker looks every five seconds whether its parent still lives.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died just before
        os._exit(1)
