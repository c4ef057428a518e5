"""Image ids: which texts are refused, and when two of them mean the same image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import first_few, quoted
from ensemble.tables import shortened

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".npy", ".dcm")
"""File endings of images, in lower case; files may spell them in any case."""

_DOUBLES_LISTED = 20
_LONGEST = 255  # bytes of a file's name, on every usual file system; a character takes up to 4
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|^[A-Za-z]:/")


class IdRow(NamedTuple):
    """An id, where it stands, and what is said of it there (its labels or its group, as bytes)."""

    table: str
    line: int
    image_id: str
    labels: bytes | None = None


def split_ending(name: str) -> tuple[str, str]:
    """``p1/a.PNG`` to ``("p1/a", ".png")``; the ending is empty if it is none of ``IMAGE_ENDINGS``."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122 - a path object for every id takes ten times as long
    return (stem, ending.lower()) if ending.lower() in IMAGE_ENDINGS else (name, "")


def is_fit(image_id: str) -> bool:
    """Whether an id names a file at or below the image folder, in one way only."""
    if not image_id or _UNFIT.search(image_id):
        return False
    parts = image_id.split("/")
    if len(image_id) > _LONGEST // 4 and any(len(part.encode()) > _LONGEST for part in parts):
        return False
    return not any(part in ("", ".", "..") for part in parts)


def unfit_ids(rows: Sequence[IdRow]) -> list[str]:
    """The problem of ids that are empty, absolute, or lead out of the image folder; empty without any."""
    if not (unfit := [row for row in rows if not is_fit(row.image_id)]):
        return []
    shown = shortened([f"{quoted(row.image_id)} (line {row.line})" for row in unfit])
    problem = (
        f"{unfit[0].table}: {len(unfit)} of {len(rows)} ids cannot be used: {shown}. Expected a file name, or a path "
        "below the image folder with '/': not empty, not absolute, without '..', '.', backslash or control "
        f"character, and no name in it above {_LONGEST} bytes"
    )
    return [problem]


def double_ids(rows: Iterable[IdRow]) -> list[str]:
    """The problems of images that stand in the tables more than once, by the tables that they stand in.

    ``a`` and ``a.png`` are the same image; ``a.jpg`` and ``a.png`` are two.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for same in repeated(rows):
        tables = tuple(dict.fromkeys(row.table for row in same))
        found.setdefault(tables, []).append(_describe(same))
    return [_double_problem(tables, images) for tables, images in found.items()]


def repeated(rows: Iterable[IdRow]) -> Iterator[list[IdRow]]:
    """Rows that mean an image of which there is another row, by stem; ``a`` and ``a.png`` are the same image."""
    by_stem: dict[str, list[IdRow]] = {}
    for row in rows:
        by_stem.setdefault(split_ending(row.image_id)[0], []).append(row)
    for alike in by_stem.values():
        if len(alike) > 1 and (same := _same_image(alike)):
            yield same


def _same_image(alike: Sequence[IdRow]) -> list[IdRow]:
    """Of rows with one stem, those that another row repeats."""
    texts = [row.image_id for row in alike]
    if any(not split_ending(text)[1] for text in texts):
        return list(alike)
    return [row for row in alike if texts.count(row.image_id) > 1]


def _describe(same: Sequence[IdRow]) -> str:
    one_table = len({row.table for row in same}) == 1
    places = (f"line {row.line}" if one_table else f"{row.table} line {row.line}" for row in same)
    texts = list(dict.fromkeys(row.image_id for row in same))
    labels = {row.labels for row in same}
    said = "" if None in labels else ", same labels" if len(labels) == 1 else ", other labels"
    return f"{' = '.join(map(repr, texts))} ({', '.join(places)}{said})"


def _double_problem(tables: Sequence[str], images: Sequence[str]) -> str:
    shown = shortened(images, _DOUBLES_LISTED)
    if len(tables) == 1:
        return (
            f"{tables[0]}: expected every image once, but {len(images)} came more than once: {shown}. Keep one row each"
        )
    return (
        f"{' and '.join(tables)}: expected no image in more than one of them, but {len(images)} are: {shown}. "
        "Take them out of one"
    )


class IdLookup:
    """Positions of ids, found with and without the file ending."""

    def __init__(self, image_ids: NDArray[np.str_]) -> None:
        self._exact: dict[str, int] = {}
        self._stems: dict[str, int] = {}
        for position, image_id in enumerate(image_ids.tolist()):
            stem, ending = split_ending(image_id)
            self._exact.setdefault(image_id, position)
            if ending:
                self._stems[stem] = -1 if stem in self._stems else position

    def find(self, image_id: str) -> int:
        """The position of ``image_id``, else of the one id that is the same but for an ending, else -1."""
        if (position := self._exact.get(image_id)) is not None:
            return position
        stem, ending = split_ending(image_id)
        return self._exact.get(stem, -1) if ending else self._stems.get(image_id, -1)

    def find_all(self, image_ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Shape (N,): ``find`` of every id."""
        return np.array([self.find(image_id) for image_id in image_ids.tolist()], dtype=np.int64)


def listed(image_ids: Iterable[object]) -> str:
    """How many ids, and the first five: ``3 images ('a', 'b', 'c')``."""
    texts = list(image_ids)
    return f"{len(texts)} image{'s' if len(texts) != 1 else ''} ({first_few(texts)})"
