"""Every error that a user can cause or must know about.

::

    EnsembleError
    ├── RecipeError        a recipe, override or dataset.yaml that cannot be used
    ├── DataError          images, label tables or templates that are wrong or missing
    ├── FoldError          folds that do not fit the dataset, the recipe or one another
    ├── AlignmentError     prediction tables that do not belong together
    ├── ArtefactError      a file that we wrote (or should have) is missing, damaged or of another version
    ├── StorageError       a disk is full, read-only or gone
    ├── TrainingDiverged   a loss stopped being finite
    ├── OutOfMemory        memory ran out, of the machine or of a device
    ├── WorkerDied         a data worker process was killed
    ├── EngineError        an engine for many trainings is not installed, not reached, or has no room
    └── Unfinished         stopped on request: the same command goes on
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Self

_MOST_PROBLEMS = 30
_LONGEST_MESSAGE, _LAST_PART = 20_000, 1_000  # characters; a remedy stands at the end
# Control characters but the line break, marks that turn the direction of writing, and what cannot be encoded: some
# command a terminal, the others make a name look like another one.
_UNSHOWN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_UNFINISHED = 75  # EX_TEMPFAIL: the same command goes on


class EnsembleError(Exception):
    """Base of all errors raised on purpose. ``exit_code`` is what a command returns for it.

    The message is fit to be shown, whatever files and libraries have put into it: see :func:`printable`. A very long
    one loses its middle.
    """

    exit_code: int = EXIT_FAILED

    def __init__(self, message: str = "") -> None:
        super().__init__(_without_middle(printable(message)))

    @classmethod
    def gather(cls, headline: str, problems: Sequence[str]) -> Self:
        """One error out of several problems, so that a user mends all of them in one go; very many are cut short.

        Args:
            headline: What was looked at, e.g. ``"train_labels.csv cannot be used"``.
            problems: One sentence each: expected, got, where, remedy.
        """
        if len(problems) == 1:
            return cls(f"{headline}: {problems[0]}")
        shown = [f"  {number}. {problem}" for number, problem in enumerate(problems[:_MOST_PROBLEMS], start=1)]
        if more := len(problems) - len(shown):
            shown.append(f"  … and {more:,} more")
        listed = "\n".join(shown)
        return cls(f"{headline}, {len(problems):,} problems:\n{listed}")


class RecipeError(EnsembleError):
    """A recipe, an override or a ``dataset.yaml`` is not usable as written."""

    exit_code = EXIT_BAD_INPUT


class DataError(EnsembleError):
    """The dataset's images, label tables, groups or template are missing or wrong."""

    exit_code = EXIT_BAD_INPUT


class FoldError(EnsembleError):
    """Folds do not fit the dataset, the recipe or one another."""

    exit_code = EXIT_BAD_INPUT


class AlignmentError(EnsembleError):
    """Prediction tables do not belong together: other ids, classes or folds."""

    exit_code = EXIT_BAD_INPUT


class ArtefactError(EnsembleError):
    """A file that this package writes is missing, damaged, locked or of another version."""

    exit_code = EXIT_BAD_INPUT


class TrainingDiverged(EnsembleError):  # noqa: N818 - an event, named as the field names it
    """A training loss stopped being finite."""

    exit_code = EXIT_FAILED


class EngineError(EnsembleError):
    """An engine for many trainings is not installed, is not reached, or has no room for one."""

    exit_code = EXIT_BAD_INPUT


class StorageError(EnsembleError):
    """Something cannot be written, or read again: the disk is full, read-only or failing, or the folder is gone."""

    exit_code = EXIT_FAILED


class OutOfMemory(EnsembleError):  # noqa: N818 - an event, named as the field names it
    """More memory was asked for than the machine or the device has."""

    exit_code = EXIT_FAILED


class WorkerDied(EnsembleError):  # noqa: N818 - an event, as the one above
    """A process that prepares batches was killed, most often for want of memory."""

    exit_code = EXIT_FAILED


class Unfinished(EnsembleError):  # noqa: N818 - an event
    """Work was stopped on request, cleanly: a signal or the time limit. The same command goes on."""

    exit_code = EXIT_UNFINISHED


def printable(text: str) -> str:
    """The text with an escape for each character that could command a terminal or cannot be seen; line breaks stay."""
    return _UNSHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def _without_middle(text: str) -> str:
    if len(text) <= _LONGEST_MESSAGE:
        return text
    first = _LONGEST_MESSAGE - _LAST_PART
    return f"{text[:first]} … ({len(text) - _LONGEST_MESSAGE:,} characters left out) … {text[-_LAST_PART:]}"


def quoted(text: str, longest: int = 100) -> str:
    """The text in quotes, control characters escaped, its end left out where it is very long."""
    return repr(text) if len(text) <= longest else f"{text[:longest]!r}…"


def first_few(items: Iterable[object], limit: int = 5) -> str:
    """The first ``limit`` items as text, and how many more there are: ``'a', 'b' (+3 more)``."""
    listed = list(items)
    shown = ", ".join(quoted(str(item)) for item in listed[:limit])
    return shown if len(listed) <= limit else f"{shown} (+{len(listed) - limit} more)"


def many(count: int, thing: str) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
