"""What of the rows is counted fold by fold, beside rows and classes: label combinations and pairs of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_PAIRS = 128


@dataclass(frozen=True, eq=False)
class Family:
    """Features of one sort that rows have or lack.

    Attributes:
        rows: Shape (E,), int64; row ``rows[e]`` has the feature ``features[e]``.
        features: Shape (E,), int64, 0 to ``size - 1``.
        size: The number of features.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.int64]
    size: int


def combinations_of(labels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shape (N,), int64: the number of each row's label combination; "not labelled" is a third value beside 0 and 1.

    Combinations are numbered from 0 by their values, whatever the order of the rows.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
    """
    if labels.shape[1] == 0:
        return np.zeros(len(labels), dtype=np.int64)
    states = np.ascontiguousarray(np.where(np.isnan(labels), 2, labels).astype(np.uint8))
    packed = states.view(np.dtype((np.void, states.shape[1]))).ravel()
    return np.unique(packed, return_inverse=True)[1].reshape(-1).astype(np.int64)


def combination_features(labels: NDArray[np.float64], owners: NDArray[np.int64], *, n_folds: int) -> Family:
    """Each combination that at least K units carry; rarer ones are pooled by their number of positives.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        owners: Shape (N,), the unit of each row; a row with -1 is a unit of its own.
        n_folds: The number of folds K.
    """
    combinations = combinations_of(labels)
    owned = owners >= 0
    carried = np.unique(np.stack([combinations[owned], owners[owned]]), axis=1)[0]
    n_combinations = int(combinations.max()) + 1
    n_carriers = np.bincount(np.concatenate([carried, combinations[~owned]]), minlength=n_combinations)
    n_positives = np.nansum(labels, axis=1).astype(np.int64)
    features = np.where(n_carriers[combinations] >= n_folds, combinations, n_combinations + n_positives)
    used, numbers = np.unique(features, return_inverse=True)
    return Family(np.arange(len(labels)), numbers.reshape(-1).astype(np.int64), len(used))


def pair_features(labels: NDArray[np.float64], n_folds: int) -> Family:
    """The commonest pairs of classes, 128 at most, that are positive together on at least K rows.

    Source: second-order label pairs as in Szymański & Kajdanowicz, "A network perspective on stratification of
    multi-label data" (2017), https://arxiv.org/abs/1704.08756.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        n_folds: The number of folds K.
    """
    positive = labels == 1
    together = np.triu(positive.T.astype(np.float64) @ positive, k=1)
    order = np.argsort(-together, axis=None, kind="stable")[:_MOST_PAIRS]
    chosen = order[together.ravel()[order] >= n_folds]
    pairs = zip(*np.unravel_index(chosen, together.shape), strict=True)
    rows = [np.flatnonzero(positive[:, left] & positive[:, right]) for left, right in pairs]
    features = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
    return Family(np.concatenate([np.empty(0, dtype=np.int64), *rows]), features, len(rows))
