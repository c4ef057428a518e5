"""How one of several processes ends, and how the others learn of it."""

from __future__ import annotations

from typing import NamedTuple

from torch import distributed as dist

from ensemble.errors import EXIT_FAILED, EXIT_UNFINISHED, EnsembleError
from ensemble.memory import lack_of_memory

LOST = (
    "another process of this training has ended without a word: killed, most often for want of memory, or by an error "
    "that it shows above. The last checkpoint is kept, and the same command goes on"
)


class End(NamedTuple):
    """How a process ends."""

    exit_code: int
    said: str


def end_by(error: BaseException) -> End | None:
    """How ``error`` ends a process; None: it is a fault of the program, which Python shows."""
    if isinstance(error, EnsembleError):
        return End(error.exit_code, str(error))
    if isinstance(error, KeyboardInterrupt):
        return End(EXIT_UNFINISHED, f"interrupted{f' by {error}' if str(error) else ''}")
    if lack := lack_of_memory(error):
        return End(EXIT_FAILED, f"there is too little memory ({lack}). Make some free")
    if isinstance(error, OSError):
        return End(EXIT_FAILED, f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
    return End(EXIT_FAILED, LOST) if is_loss(error) else None


def is_loss(error: BaseException) -> bool:
    """Whether this is how torch says that another process is gone, or does not answer.

    Where it is memory that an exchange could not have, it is this process that fails.
    """
    if not isinstance(error, RuntimeError) or lack_of_memory(error):
        return False
    words = ("gloo", "connection closed", "connection reset", "nccl", "timed out")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
