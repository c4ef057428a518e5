"""Memory that ran out: how it is told from other errors, and the one error that is made of it."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ensemble.errors import OutOfMemory

# torch and its allocators, CUDA's libraries, numpy, C++ and the system have no type of error in common.
_SIGNS = re.compile(
    r"out of memory|not enough memory|(can't|cannot|could not|unable to|failed to) allocate|alloc_failed|bad_alloc"
    r"|memoryerror",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"^(?:[\w.]*Error: )?(?:\[enforce fail at [^]]*\] (?:[^.]*\. )?)?")  # type, line of source
_ADVICE = " If reserved but unallocated"  # torch's own, about the fragments that it keeps


def lack_of_memory(error: BaseException) -> str:
    """What could not be had, in the words of whoever asked for it; empty if ``error`` is about something else."""
    if not (isinstance(error, RuntimeError | MemoryError) or _is_systems_lack(error)):
        return ""
    lines = str(error).splitlines()
    # An error that a data worker passes on has a traceback in its text: the reason is at its end.
    said = next((line for line in reversed(lines) if _SIGNS.search(line)), "")
    if not said and isinstance(error, MemoryError):
        said = lines[0] if lines else "no more could be had"
    return _BEFORE.sub("", said).partition(_ADVICE)[0].strip().rstrip(".")


def _is_systems_lack(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOMEM


@contextmanager
def memory_errors(doing: Callable[[], str], remedy: str) -> Iterator[None]:
    """Make one error of whatever is raised in the block because memory ran out, of the machine or of a device.

    Args:
        doing: What was done then, e.g. ``"in epoch 1 of 15"``; asked when it has happened.
        remedy: What takes the memory, and what can be done about it.

    Raises:
        OutOfMemory: It ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not (lack := lack_of_memory(error)):
            raise
        raise OutOfMemory(f"memory ran out {doing()} ({lack}). {remedy}") from error
