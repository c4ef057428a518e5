"""A few images, chosen by the seed alone, small enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.counts import combination_keys
from ensemble.data.audit.files import eight_bit
from ensemble.data.audit.rows import Rows
from ensemble.data.formats.remarks import counted_remarks
from ensemble.data.images import preprocess, read_grey
from ensemble.findings import Combination, Gallery, Picture

LONGEST_SIDE = 112
"""Pictures are shrunk to this many pixels; smaller ones stay as they are."""
MANY_CLASSES = 20
MOST_COMBINATIONS = 24


@dataclass(frozen=True, eq=False)
class Album:
    """Makes pictures of rows.

    Attributes:
        root: The dataset's folder.
        rows: All rows.
        seed: Of the choice.
    """

    root: Path
    rows: Rows
    seed: int

    def picture(self, row: int, caption: str) -> Picture:
        """Read a row's image again and shrink it."""
        with counted_remarks():  # they were said when all images were looked at
            grey = eight_bit(read_grey(self.root / str(self.rows.files[row])))
        factor = min(1.0, LONGEST_SIDE / max(grey.shape))
        size = max(1, round(grey.shape[0] * factor)), max(1, round(grey.shape[1] * factor))
        encoded = cv2.imencode(".png", preprocess(grey, size))[1].tobytes()
        return Picture(str(self.rows.image_ids[row]), caption, encoded, *size)

    def by_class(self, class_names: Sequence[str]) -> tuple[Gallery, ...]:
        """Images of each class; captions name the classes that come with it."""
        n_each = 8 if len(class_names) <= 8 else 6 if len(class_names) <= MANY_CLASSES else 4
        galleries = []
        for number, name in enumerate(class_names):
            candidates = np.flatnonzero(self.rows.train & (self.rows.labels[:, number] == 1))
            chosen = self._choose(candidates, n_each, number)
            pictures = tuple(self.picture(row, self._others(row, number, class_names)) for row in chosen)
            galleries.append(Gallery(name, len(candidates), pictures))
        return tuple(galleries)

    def by_combination(self, found: Sequence[Combination], keys: Sequence[bytes]) -> tuple[Gallery, ...]:
        """Images of the commonest combinations."""
        n_each = 6 if self.rows.labels.shape[1] <= MANY_CLASSES else 4
        # Numbers, for numpy takes trailing zero bytes off a key.
        numbers = {key: number for number, key in enumerate(keys)}
        of_rows = np.array([numbers.get(key, -1) for key in combination_keys(self.rows.labels)])
        galleries = []
        for number, combination in enumerate(found[:MOST_COMBINATIONS]):
            candidates = np.flatnonzero(self.rows.train & (of_rows == number))
            chosen = self._choose(candidates, n_each, 1_000_000 + number)
            pictures = tuple(self.picture(row, "") for row in chosen)
            galleries.append(Gallery(combination.title, len(candidates), pictures))
        return tuple(gallery for gallery in galleries if gallery.pictures)

    def _others(self, row: int, number: int, class_names: Sequence[str]) -> str:
        others = [name for name, label in zip(class_names, self.rows.labels[row], strict=True) if label == 1]
        others.remove(class_names[number])
        return f"+ {', '.join(others)}" if others else ""

    def _choose(self, candidates: NDArray[np.int64], n_each: int, stream: int) -> list[int]:
        """At random, but of as many different groups as possible; the order of the tables does not matter."""
        by_id = candidates[np.argsort(self.rows.image_ids[candidates], kind="stable")]
        shuffled = np.random.default_rng([self.seed, stream]).permutation(by_id)
        groups = self.rows.groups[shuffled]
        own = np.where(groups >= 0, groups, len(self.rows) + np.arange(len(shuffled)))
        first = np.zeros(len(shuffled), dtype=bool)
        first[np.unique(own, return_index=True)[1]] = True
        return [int(row) for row in np.concatenate([shuffled[first], shuffled[~first]])[:n_each]]
