"""All rows of all splits in one table, so that images can be compared wherever they stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset import Dataset
from ensemble.folds import FoldFile

TRAIN, HOLDOUT, TEST = 0, 1, 2
SPLIT_NAMES = ("train", "holdout", "test")

ACROSS_SPLITS, ACROSS_FOLDS, SAME_FOLD, SAME_GROUP, IN_HOLDOUT, IN_TEST = range(6)
RELATIONS = (
    "across splits",
    "in training, in different folds",
    "in training, in one fold by chance",
    "in training, in one group (folds keep them together)",
    "both in the holdout",
    "both in the test images",
)
"""Where two images stand to each other, in words, by number; the first two let scores flatter."""


@dataclass(frozen=True, eq=False)
class Rows:
    """N images of all splits, training rows first.

    Attributes:
        image_ids: Shape (N,), text.
        files: Shape (N,), text: paths relative to the dataset's folder.
        split: Shape (N,), int64: an index into ``SPLIT_NAMES``.
        labels: Shape (N, C), float64: 0, 1 or NaN; NaN for test rows.
        groups: Shape (N,), int64: the number of the group; -1 where it is not known.
        group_names: The groups' names by number.
        folds: Shape (N,), int64: -1 outside the training rows, and where there are no folds.
    """

    image_ids: NDArray[np.str_]
    files: NDArray[np.str_]
    split: NDArray[np.int64]
    labels: NDArray[np.float64]
    groups: NDArray[np.int64]
    group_names: NDArray[np.str_]
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def train(self) -> NDArray[np.bool_]:
        """Shape (N,): the training rows."""
        return np.asarray(self.split == TRAIN)

    def where(self, row: int) -> str:
        """The row's split and fold, for people."""
        name = SPLIT_NAMES[self.split[row]]
        return f"{name}, fold {self.folds[row]}" if self.folds[row] >= 0 else name

    def relation(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shape of both: an index into ``RELATIONS`` for each pair of rows."""
        split = self.split[one]
        same_group = (self.groups[one] >= 0) & (self.groups[one] == self.groups[other])
        return np.select(
            [
                split != self.split[other],
                split == HOLDOUT,
                split == TEST,
                same_group,
                self.folds[one] != self.folds[other],
            ],
            [ACROSS_SPLITS, IN_HOLDOUT, IN_TEST, SAME_GROUP, ACROSS_FOLDS],
            SAME_FOLD,
        )


def all_rows(dataset: Dataset, folds: FoldFile | None) -> Rows:
    """Put the splits together.

    Args:
        dataset: As it is divided; with images.
        folds: In the order of its training rows; None if there are none.
    """
    splits = [dataset.train, dataset.holdout, dataset.test]
    there = [(number, split) for number, split in enumerate(splits) if split is not None]
    n_classes = len(dataset.class_names)
    lengths = [len(split) for _, split in there]
    nothing = [np.full((len(split), n_classes), np.nan) for _, split in there]
    labels = [none if split.labels is None else split.labels for none, (_, split) in zip(nothing, there, strict=True)]
    groups, names = _group_numbers([split.groups for _, split in there], lengths)
    held = np.full(sum(lengths), -1, dtype=np.int64)
    if folds is not None:
        held[: len(dataset.train)] = folds.folds
    return Rows(
        image_ids=np.concatenate([split.image_ids for _, split in there]),
        files=np.concatenate([split.image_files for _, split in there]),
        split=np.repeat([number for number, _ in there], lengths).astype(np.int64),
        labels=np.concatenate(labels),
        groups=groups,
        group_names=names,
        folds=held,
    )


def _group_numbers(
    groups: list[NDArray[np.str_] | None], lengths: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    names = np.unique(np.concatenate([np.array([], dtype=np.str_), *(part for part in groups if part is not None)]))
    parts = [
        np.full(length, -1) if part is None else np.searchsorted(names, part)
        for part, length in zip(groups, lengths, strict=True)
    ]
    return np.concatenate(parts).astype(np.int64), names
