"""Counting: labels, combinations, sizes, kinds of files, groups and folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.rows import SPLIT_NAMES, TEST, TRAIN, Rows
from ensemble.data.audit.scan import Scan
from ensemble.findings import Combination, Division, GroupFacts, SplitFacts
from ensemble.folds import FoldFile


def split_facts(scan: Scan, rows: Rows) -> tuple[SplitFacts, ...]:
    """One for each split that has rows."""
    return tuple(_facts_of(scan, rows, number) for number in np.unique(rows.split).tolist())


def _facts_of(scan: Scan, rows: Rows, number: int) -> SplitFacts:
    chosen = rows.split == number
    labels = None if number == TEST else rows.labels[chosen]
    return SplitFacts(
        name=SPLIT_NAMES[number],
        sizes=scan.sizes[chosen],
        modes=_commonest_first(scan.properties["mode"][chosen]),
        formats=_commonest_first(scan.properties["file format"][chosen]),
        intensity=scan.histograms[chosen].mean(axis=0, dtype=np.float64),
        positives=None if labels is None else (labels == 1).sum(axis=0),
        unlabelled=None if labels is None else np.isnan(labels).sum(axis=0),
        labels_per_image=None if labels is None else tuple(np.bincount((labels == 1).sum(axis=1)).tolist()),
    )


def _commonest_first(values: NDArray[np.str_]) -> dict[str, int]:
    counts = Counter(values.tolist())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def class_intensity(scan: Scan, rows: Rows) -> NDArray[np.float64]:
    """Shape (C, 2, B): mean histogram of the training images that are negative and positive for each class."""
    train = rows.train
    labels, histograms = rows.labels[train], scan.histograms[train].astype(np.float64)
    result = np.full((labels.shape[1], 2, histograms.shape[1]), np.nan)
    for value in (0, 1):
        there = (labels == value).astype(np.float64)
        counts = there.sum(axis=0)
        result[counts > 0, value] = (there.T @ histograms)[counts > 0] / counts[counts > 0, None]
    return result


def co_occurrence(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the training rows: shape (C, C), images positive for both classes; shape (C,), for this one alone."""
    positive = rows.labels[rows.train] == 1
    together = (positive.T.astype(np.float64) @ positive).round().astype(np.int64)
    return together, positive[positive.sum(axis=1) == 1].sum(axis=0)


def combinations(rows: Rows, class_names: tuple[str, ...]) -> tuple[tuple[Combination, ...], tuple[bytes, ...]]:
    """The combinations of labels, the commonest in training first, then by number of labels; and their keys.

    A key is ``combination_keys`` of any of its rows.
    """
    keys = combination_keys(rows.labels)
    counts: dict[bytes, Counter[str]] = {}
    for key, split in zip(keys, rows.split.tolist(), strict=True):
        if split != TEST:
            counts.setdefault(key, Counter())[SPLIT_NAMES[split]] += 1
    order = sorted(counts, key=lambda key: (-counts[key]["train"], key.count(1), key))
    return tuple(_combination(key, class_names, counts[key]) for key in order), tuple(order)


def combination_keys(labels: NDArray[np.float64]) -> list[bytes]:
    """A byte for each class: 0, 1, or 2 for "not labelled"."""
    states = np.where(np.isnan(labels), 2, labels).astype(np.uint8)
    return [row.tobytes() for row in states]


def _combination(key: bytes, class_names: tuple[str, ...], counts: Mapping[str, int]) -> Combination:
    named = list(zip(key, class_names, strict=True))
    return Combination(
        names=tuple(name for state, name in named if state == 1),
        unlabelled=tuple(name for state, name in named if state == 2),
        counts=dict(counts),
    )


def group_facts(rows: Rows) -> GroupFacts | None:
    """The training rows' groups; None where there are none."""
    train = rows.train
    groups = rows.groups[train]
    if (groups < 0).any():
        return None
    counts = np.bincount(groups, minlength=len(rows.group_names))
    order = np.argsort(-counts, kind="stable")
    sizes = {str(rows.group_names[place]): int(counts[place]) for place in order if counts[place]}
    carriers = [len(np.unique(groups[column == 1])) for column in rows.labels[train].T]
    return GroupFacts(sizes, np.array(carriers, dtype=np.int64))


def division(rows: Rows, folds: FoldFile, source: str) -> Division:
    """How the classes lie in the folds.

    Args:
        rows: With ``folds`` in them.
        folds: The same.
        source: Where they came from, in words.
    """
    train = rows.split == TRAIN
    labels = rows.labels[train]
    membership = (rows.folds[train] == np.arange(folds.n_folds)[:, None]).astype(np.float64)
    groups = None
    if folds.groups is not None:
        groups = np.array([len(np.unique(folds.groups[folds.folds == fold])) for fold in range(folds.n_folds)])
    return Division(
        source=source,
        sizes=membership.sum(axis=1).astype(np.int64),
        groups=groups,
        positives=(membership @ (labels == 1)).round().astype(np.int64),
        labelled=(membership @ ~np.isnan(labels)).round().astype(np.int64),
    )
