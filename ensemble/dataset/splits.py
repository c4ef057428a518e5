"""What a dataset is once it has been read: labelled rows, groups and image files, all in the tables' order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.layout import is_group_table
from ensemble.errors import DataError, first_few, many


@dataclass(frozen=True, eq=False)
class Split:
    """N images that came together: the training rows, the holdout or the test rows.

    Attributes:
        image_ids: Shape (N,), text verbatim as in the CSV, unique, in the CSV's order.
        labels: Shape (N, C), float64: 0.0, 1.0, or NaN for "not labelled". None for test rows.
        groups: Shape (N,), text, what must not be split over folds. None: every image is independent.
        image_files: Shape (N,), paths relative to ``Dataset.path``, with "/". Shape (0,) if images were not looked up.
    """

    image_ids: NDArray[np.str_]
    labels: NDArray[np.float64] | None
    groups: NDArray[np.str_] | None
    image_files: NDArray[np.str_]

    def __post_init__(self) -> None:
        lengths = {name: len(part) for name in ("labels", "groups") if (part := getattr(self, name)) is not None}
        if len(self.image_files):
            lengths["image_files"] = len(self.image_files)
        if wrong := {name: length for name, length in lengths.items() if length != len(self)}:
            raise DataError(f"a split of {len(self)} images needs as many entries in every array, got {wrong}")

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset's tables, and where its images are.

    Attributes:
        name: ``name`` of ``dataset.yaml``, else the folder's name.
        path: The folder, as it was given.
        class_names: C names in the order of the label columns.
        train: The rows that are divided into folds.
        holdout: Labelled rows outside the folds; None without them.
        test: The rows of the template; None without one.
        template: The sample submission; None without one.
        groups_source: Which files the groups came from, for people to read.
        unused_tables: Names of CSV files that hold ids of this dataset and were not read.
        images_without_id: Image files that no table names, relative to ``path``; empty if images were not looked up.
        n_folds: As stated by ``dataset.yaml``, else None; likewise ``fold_seed`` and ``holdout_wanted``.
        true_probabilities: Shape (N of train, C), float64 in [0, 1]: the chances from which the labels were drawn,
            known for generated data alone.
    """

    name: str
    path: Path
    class_names: tuple[str, ...]
    train: Split
    holdout: Split | None
    test: Split | None
    template: Path | None
    groups_source: str
    unused_tables: tuple[str, ...]
    images_without_id: tuple[str, ...] = ()
    n_folds: int | None = None
    fold_seed: int | None = None
    holdout_wanted: bool | None = None
    true_probabilities: NDArray[np.float64] | None = None

    def describe_unused(self) -> list[str]:
        """Each of ``unused_tables``, and why it was not read."""
        return [
            f"{name}: the groups come from {self.groups_source}"
            if is_group_table(name)
            else f"{name}: it holds ids, but has no name that is read"
            for name in self.unused_tables
        ]

    def describe_images_without_id(self) -> str:
        """How many there are, and the first; nothing if there are none."""
        files = self.images_without_id
        return f"{many(len(files), 'image')} without an id in any table: {first_few(files)}" if files else ""

    @cached_property
    def content_hash(self) -> str:
        """Hex SHA-256 of class names, ids, labels and groups of all splits: the identity, wherever the folder lies."""
        content = {
            "class_names": self.class_names,
            "splits": [_content(split) for split in (self.train, self.holdout, self.test)],
        }
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _content(split: Split | None) -> dict[str, Any] | None:
    """Ids, groups and labels as plain data; labels as 0, 1 and -1 for "not labelled"."""
    if split is None:
        return None
    labels = None if split.labels is None else np.nan_to_num(split.labels, nan=-1).astype(np.int8).tolist()
    groups = None if split.groups is None else split.groups.tolist()
    return {"ids": split.image_ids.tolist(), "labels": labels, "groups": groups}


def with_holdout_in_folds(dataset: Dataset) -> Dataset:
    """The dataset with the holdout's rows appended to the training rows, and no holdout.

    Groups may then be on both sides, for the folds keep each together. ``true_probabilities``, known of the training
    rows alone, are dropped. Without a holdout the dataset itself is returned.
    """
    if dataset.holdout is None:
        return dataset
    train = _joined(dataset.train, dataset.holdout)
    return replace(dataset, train=train, holdout=None, true_probabilities=None)


def _joined(first: Split, second: Split) -> Split:
    if first.labels is None or second.labels is None or (first.groups is None) != (second.groups is None):
        raise DataError(
            "rows can join the folds only if they have labels, and groups where the training rows have them"
        )
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, second.groups])
    return Split(
        np.concatenate([first.image_ids, second.image_ids]),
        np.concatenate([first.labels, second.labels]),
        groups,
        np.concatenate([first.image_files, second.image_files]),
    )
