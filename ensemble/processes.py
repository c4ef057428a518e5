"""The processes that torchrun has started together, as their environment tells. Needs no torch."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from ensemble.errors import RecipeError, printable

_VARIABLES = {"rank": "RANK", "count": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_count": "LOCAL_WORLD_SIZE"}


@dataclass(frozen=True)
class Place:
    """This process among those that were started together.

    Attributes:
        rank: From 0, over all machines; 0 leads.
        count: How many there are.
        local_rank: From 0, on this machine.
        local_count: How many are on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1


def place() -> Place:
    """Where this process stands; alone, where no launcher says otherwise.

    Raises:
        RecipeError: The environment speaks of several processes, but not of all that torchrun sets.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return Place()
    given = {name: os.environ.get(variable, "") for name, variable in _VARIABLES.items()}
    if not all(text.isascii() and text.isdecimal() for text in given.values()):
        said = ", ".join(f"{variable}={given[name] or '(not set)'}" for name, variable in _VARIABLES.items())
        raise RecipeError(
            f"the environment speaks of several processes, but not as torchrun does ({said}): start them with "
            "torchrun, or unset WORLD_SIZE for one process"
        )
    found = Place(**{name: int(text) for name, text in given.items()})
    return found if found.count > 1 else Place()


def say_unheard(rank: int, count: int, said: str) -> None:
    """Show why a process ends that nobody hears otherwise, as its output is put aside."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(printable(f"error: process {rank} of {count}: {said}\n"))
        sys.__stderr__.flush()


def refuse_several(what: str) -> None:
    """See that this process is alone.

    Args:
        what: What is done by one process.

    Raises:
        RecipeError: Several were started together.
    """
    if (count := place().count) > 1:
        raise RecipeError(
            f"torchrun has started {count} processes, and {what} is one process's work: give the command without "
            "torchrun (only ensemble.train shares a training among several)"
        )


def may_speak() -> bool:
    """Whether this process may print: of those on one machine the first, so that nothing is said several times."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("LOCAL_RANK", "0") == "0"
