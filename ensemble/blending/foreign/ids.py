"""Ids of two tables: which of them meet, which are missing, and what may be why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import first_few

_ENDING = re.compile(r"\.[A-Za-z]{2,5}(\.gz)?$")
_GUESSES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("spaces around them", str.strip),
    ("upper and lower case", str.casefold),
    ("zeros in front, which spreadsheets and pandas drop", lambda text: text.lstrip("0")),
    ("file endings", lambda text: _ENDING.sub("", text)),
    ("folders in front", lambda text: text.rpartition("/")[2]),
)


@dataclass(frozen=True, eq=False)
class Match:
    """Where the rows of one table stand in another.

    Attributes:
        rows: Shape (N of wanted,), int64: the row that holds each wanted id; -1 where there is none.
        missing: Shape (m,): wanted ids that are not there, in their order.
        foreign: Shape (f,): ids that nobody wants, in the table's order.
    """

    rows: NDArray[np.int64]
    missing: NDArray[np.str_]
    foreign: NDArray[np.str_]


def match_ids(found: NDArray[np.str_], wanted: NDArray[np.str_]) -> Match:
    """Look up every wanted id.

    Args:
        found: Shape (n,), the table's; of an id that is there twice the last row counts.
        wanted: Shape (N,), unique.
    """
    if np.array_equal(found, wanted):
        nothing = wanted[:0]
        return Match(np.arange(len(wanted), dtype=np.int64), nothing, nothing)
    place = {image_id: row for row, image_id in enumerate(found.tolist())}
    rows = np.array([place.get(image_id, -1) for image_id in wanted.tolist()], dtype=np.int64)
    known = set(wanted.tolist())
    foreign = np.array([image_id not in known for image_id in found.tolist()], dtype=bool)
    return Match(rows, wanted[rows < 0], found[foreign])


def unusable_ids(image_ids: NDArray[np.str_], *, where: str) -> list[str]:
    """The problems of ids that are empty or there more than once."""
    listed = image_ids.tolist()
    if not listed:
        return [f"{where}: expected an id in every row, but there are no rows"]
    problems = []
    if empty := [str(row) for row, image_id in enumerate(listed, start=1) if not image_id.strip()]:
        problems.append(f"{where}: {len(empty)} rows have no id, the first is row {empty[0]} below the header")
    if len(set(listed)) < len(listed):
        double = [image_id for image_id, count in Counter(listed).items() if count > 1 and image_id.strip()]
        if double:
            problems.append(
                f"{where}: {counted(len(double), 'id')} more than once: {first_few(double)}. Keep one row each"
            )
    return problems


def why_not(missing: NDArray[np.str_], foreign: NDArray[np.str_]) -> str:
    """A hint where ids that do not meet would, were they spelled alike; else nothing."""
    if not len(missing) or not len(foreign):
        return ""
    for words, plain in _GUESSES:
        known = {plain(image_id) for image_id in missing.tolist()}
        if sum(plain(image_id) in known for image_id in foreign.tolist()) * 2 > min(len(missing), len(foreign)):
            return f". They differ by {words}: ids are compared as text, as they stand"
    return ""


def counted(count: int, noun: str) -> str:
    """``1 id``, ``2 ids``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def close_name(name: str, known: Sequence[str]) -> str | None:
    """Of ``known`` the name that is the same but for case, spaces and punctuation."""
    return next((other for other in known if _bare(other) == _bare(name)), None)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
