"""How even folds are, and which classes cannot be even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.errors import FoldError, many
from ensemble.folds.features import combinations_of


@dataclass(frozen=True)
class Imbalance:
    """Relative deviations from an even division; 0.1 is ten per cent, 0 is perfect.

    Only classes and combinations that at least K groups carry (rows, without groups) are measured: no division puts the
    others into every fold. ``n_empty`` counts all classes.

    Attributes:
        class_max: The largest ``|rate in fold / rate in all - 1|`` of a class, rates among labelled rows.
        class_mean: The mean of the same over classes and folds.
        combination_max: The largest ``|K count in fold / count in all - 1|`` of a label combination.
        combination_mean: The mean of the same over combinations and folds.
        size_max: The largest ``|K rows in fold / rows in all - 1|``.
        size_mean: The mean of the same over folds.
        n_empty: The number of (class, fold) cells without a positive, of classes that have positives.
    """

    class_max: float
    class_mean: float
    combination_max: float
    combination_mean: float
    size_max: float
    size_mean: float
    n_empty: int


def measure_imbalance(labels: ArrayLike, folds: ArrayLike, *, groups: ArrayLike | None = None) -> Imbalance:
    """Measure how far a division is from an even one.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        folds: Shape (N,), 0 to K - 1.
        groups: Shape (N,), or None if every row is independent.

    Raises:
        FoldError: ``folds`` has not one entry a row.
    """
    values, held = np.asarray(labels, dtype=np.float64), np.asarray(folds, dtype=np.int64)
    if held.shape != values.shape[:1]:
        raise FoldError(f"folds: expected one for each of the {len(values)} rows of labels, got shape {held.shape}")
    owners = _owners(groups, len(values))
    n_folds = int(held.max()) + 1
    membership = held == np.arange(n_folds)[:, None]  # (K, N)
    positive, labelled = values == 1, ~np.isnan(values)
    positives = _per_fold(membership, positive)
    rates = positives / np.maximum(1, _per_fold(membership, labelled))
    overall = positive.sum(axis=0) / np.maximum(1, labelled.sum(axis=0))
    spread = n_carriers(positive, owners) >= n_folds
    class_deviation = _deviations(rates[:, spread], overall[spread])
    combination_deviation = _deviations(*_combination_counts(values, owners, held, n_folds))
    size_deviation = _deviations(membership.sum(axis=1)[:, None], np.array([len(values) / n_folds]))
    return Imbalance(
        *_max_and_mean(class_deviation),
        *_max_and_mean(combination_deviation),
        *_max_and_mean(size_deviation),
        n_empty=int(np.count_nonzero(positives[:, positive.any(axis=0)] == 0)),
    )


def rare_classes(labels: ArrayLike, groups: ArrayLike | None, class_names: Sequence[str], n_folds: int) -> list[str]:
    """A sentence for each class that cannot have a positive in every fold, because too few groups carry it.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        groups: Shape (N,), or None: then images are counted.
        class_names: C names.
        n_folds: The number of folds K.
    """
    values = np.asarray(labels, dtype=np.float64)
    counts = n_carriers(values == 1, _owners(groups, len(values)))
    noun = "image" if groups is None else "group"
    return [
        _rare(name, count, noun, n_folds) if count else _absent(name, labelled=not np.isnan(column).all())
        for name, count, column in zip(class_names, counts.tolist(), values.T, strict=True)
        if count < n_folds
    ]


def _rare(name: str, count: int, noun: str, n_folds: int) -> str:
    empty = n_folds - count
    return (
        f"class {name!r} is positive in only {many(count, noun)}: with {n_folds} folds at least {empty} of them "
        f"{'has' if empty == 1 else 'have'} no positive, and its scores rest on few cases"
    )


def _absent(name: str, *, labelled: bool) -> str:
    if labelled:
        return f"class {name!r} has no positive training row: it cannot be learnt, and its F1 counts as 0"
    return f"class {name!r} has no label in any training row: it cannot be learnt, and is left out of every mean"


def n_carriers(positive: NDArray[np.bool_], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shape (C,), int64: in how many groups each class is positive.

    Args:
        positive: Shape (N, C).
        owners: Shape (N,), the number of each row's group.
    """
    counts = [len(np.unique(owners[column])) for column in positive.T]
    return np.array(counts, dtype=np.int64)


def _owners(groups: ArrayLike | None, n_rows: int) -> NDArray[np.int64]:
    if groups is None:
        return np.arange(n_rows)
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _per_fold(membership: NDArray[np.bool_], what: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Shape (K, C): how many rows of each fold have it."""
    return membership.astype(np.float64) @ what.astype(np.float64)


def _combination_counts(
    values: NDArray[np.float64], owners: NDArray[np.int64], folds: NDArray[np.int64], n_folds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts (K, combinations) and their even share, of the combinations that at least K groups carry."""
    combinations = combinations_of(values)
    size = int(combinations.max()) + 1
    carried = np.unique(np.stack([combinations, owners]), axis=1)[0]
    spread = np.bincount(carried, minlength=size) >= n_folds
    counts = np.bincount(folds * size + combinations, minlength=n_folds * size).reshape(n_folds, size)[:, spread]
    return counts.astype(np.float64), counts.sum(axis=0) / n_folds


def _deviations(values: NDArray[np.float64], even: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values / even - 1.0)


def _max_and_mean(deviations: NDArray[np.float64]) -> tuple[float, float]:
    """Zeros where nothing could be measured."""
    if not deviations.size:
        return 0.0, 0.0
    return float(deviations.max()), float(deviations.mean())
