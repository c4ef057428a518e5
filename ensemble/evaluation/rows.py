"""Labelled rows: what every score and every fit needs beside probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import checked_labels
from ensemble.errors import AlignmentError


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """N training rows.

    Attributes:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        folds: Shape (N,), the fold that holds each row out.
        groups: Shape (N,), what belongs together, e.g. the patient; None: every row is independent.
    """

    labels: NDArray[np.float64]
    folds: NDArray[np.int16]
    groups: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        checked_labels(self.labels)
        lengths = {"folds": len(self.folds)} | ({} if self.groups is None else {"groups": len(self.groups)})
        if wrong := {name: length for name, length in lengths.items() if length != len(self.labels)}:
            raise AlignmentError(f"{len(self.labels)} labelled rows need as many entries of {wrong}")

    def subset(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> LabelledRows:
        """The chosen rows, in the order of ``index``."""
        groups = None if self.groups is None else self.groups[index]
        return LabelledRows(self.labels[index], self.folds[index], groups)

    def positive_groups(self) -> NDArray[np.int64]:
        """Shape (C,): groups with a positive row; positive rows where there are no groups."""
        positive = self.labels == 1
        if self.groups is None:
            return np.array([int(column.sum()) for column in positive.T], dtype=np.int64)
        return np.array([len(np.unique(self.groups[column])) for column in positive.T], dtype=np.int64)

    def n_groups(self) -> int | None:
        """How many groups there are; None: every row is independent."""
        return None if self.groups is None else len(np.unique(self.groups))
