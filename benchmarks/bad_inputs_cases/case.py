"""What a bad input is, and whether it was answered as it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = "a-secret-that-lies-outside-4711"  # noqa: S105 - planted, so that it can be looked for
"""Stands in files beside the case's folder: it must be in nothing that a command says or writes."""

_RAN = "RAN"


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: What is wrong with it, in a few words.
        make: Gets an empty folder, writes the input into it, and returns the command: a module and its arguments, with
            paths relative to that folder, e.g. ``["ensemble.explore", "data", "--check"]``.
        expect: A part of what the user is told.
        exit_code: Of the command; 0 for what has to be read right, with a warning or without.
    """

    name: str
    make: Callable[[Path], list[str]]
    expect: str
    exit_code: int = 2


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        exit_code: None if it had not ended in time.
        output: All that it printed.
    """

    exit_code: int | None
    output: str


def mark_of(folder: Path) -> Path:
    """The file that planted code makes, were it run. It lies beside the folder that ``Case.make`` got."""
    return folder.parent / _RAN


def outside(folder: Path) -> Path:
    """A folder beside the one that ``Case.make`` got, which nothing may read or write; it holds the secret."""
    return folder.parent / "outside"


def try_case(case: Case, place: Path, run: Callable[[list[str], Path], Outcome]) -> tuple[Outcome, str]:
    """Make the input below ``place``, run its command, and judge.

    Args:
        case: The case.
        place: An empty folder.
        run: Runs a command in a folder.

    Returns:
        What the command did, and what is wrong with that: nothing, ``hang``, ``traceback``, ``let in``,
        ``silent change`` or ``other words``.
    """
    folder = place / "work"
    outside(folder).mkdir(parents=True)
    folder.mkdir()
    (outside(folder) / "secret.csv").write_text(f"id,one\n{SECRET},1\n")
    args = case.make(folder)
    given, beside = _contents(folder), _contents(place, besides=folder)
    outcome = run(args, folder)
    after = _contents(folder)
    if outcome.exit_code is None:
        return outcome, "hang"
    if "Traceback (most recent call last)" in outcome.output:
        return outcome, "traceback"
    if _contents(place, besides=folder) != beside or _leaked(folder, outcome, set(after) - set(given)):
        return outcome, "let in"
    changed = [name for name in given if after.get(name) != given[name]]
    if changed or (outcome.exit_code == 0 and (case.exit_code != 0 or case.expect not in outcome.output)):
        return outcome, "silent change"
    if outcome.exit_code != case.exit_code or case.expect not in " ".join(outcome.output.split()):
        return outcome, "other words"
    return outcome, ""


def _leaked(folder: Path, outcome: Outcome, written: set[str]) -> bool:
    """Whether the secret is in what was printed or written."""
    return SECRET in outcome.output or any(SECRET.encode() in (folder / name).read_bytes() for name in written)


def _contents(folder: Path, *, besides: Path | None = None) -> dict[str, str]:
    """Every file below ``folder`` and the hash of its content; links are not followed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and (besides is None or not path.is_relative_to(besides))
    }
