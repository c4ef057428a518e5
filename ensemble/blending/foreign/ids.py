"""Ids of two tables: which of them meet, which are missing, and what may be why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import first_few
from ensemble.tables import shortened


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
            first = [str(row) for row, image_id in enumerate(listed, start=1) if image_id == double[0]]
            problems.append(
                f"{where}: {counted(len(double), 'id')} more than once: {first_few(double)}, the first in the rows "
                f"{shortened(first)} below the header. Keep one row each"
            )
    return problems


def counted(count: int, noun: str) -> str:
    """``1 id``, ``2 ids``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def close_name(name: str, known: Sequence[str]) -> str | None:
    """Of ``known`` the name that is the same but for case, spaces and punctuation."""
    return next((other for other in known if _bare(other) == _bare(name)), None)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
