"""What the splitter places: units (groups, or leftover images), each a sparse row of counts.

All numbers are integers held in float64, small enough that every sum is exact. That makes the folds independent of
the number of threads, of the linear-algebra library and of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.folds.features import Family, combination_features, pair_features

# What each family of features weighs as a whole. Fold sizes get more on top (see ``_effective_number``): with many
# small groups an exact size costs nothing, with a few big ones it would cost the classes.
_IMPORTANCE = {"rows": 1.9, "positives": 8.0, "labelled": 2.0, "carriers": 0.3, "combinations": 8.0, "pairs": 0.3}
_CLASSES_OF_IMAGES = 10.0  # image by image, combinations are even by construction and classes can lead
_LARGEST_EXACT = 2.0**52


@dataclass(frozen=True, eq=False)
class Units:
    """U things to be placed whole: the sparse matrix X (U, F) of their counts, and the same times the price matrix A.

    Attributes:
        starts: Shape (U + 1,), int64: unit ``u`` owns the entries ``starts[u]:starts[u + 1]``.
        features: Shape (E,), int64, the feature of each entry.
        counts: Shape (E,), float64, integers: the entry of X.
        weighted: Shape (E,), float64, integers: the entry of X A.
        totals: Shape (F,), float64, integers: X summed over the units.
        kinds: Shape (U,), int64, or None. Units of one kind never share a fold, and the numbers of units in two folds
            differ by at most one (leftover images; the kind is their label combination).
    """

    starts: NDArray[np.int64]
    features: NDArray[np.int64]
    counts: NDArray[np.float64]
    weighted: NDArray[np.float64]
    totals: NDArray[np.float64]
    kinds: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def entries(self, unit: int) -> slice:
        """Where the unit's entries stand."""
        return slice(self.starts[unit], self.starts[unit + 1])

    def dense(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """B chosen units: their rows of X and of X A, each (B, A), and the A features that any of them has."""
        lengths = self.starts[chosen + 1] - self.starts[chosen]
        shifts = self.starts[chosen] - np.cumsum(lengths) + lengths
        entries = np.repeat(shifts, lengths) + np.arange(lengths.sum())
        active, columns = np.unique(self.features[entries], return_inverse=True)
        rows = np.repeat(np.arange(len(chosen)), lengths)
        counts, weighted = np.zeros((2, len(chosen), len(active)))
        counts[rows, columns] = self.counts[entries]
        weighted[rows, columns] = self.weighted[entries]
        return counts, weighted, active


@dataclass(frozen=True, eq=False)
class _Part:
    """Some features: entries (E, 2) of unit and feature, their counts (E,), and real weights (F,) or prices (F, F)."""

    entries: NDArray[np.int64]
    counts: NDArray[np.float64]
    prices: NDArray[np.float64]

    def bound(self) -> float:
        """No sum of products of one unit's counts, prices and all units' totals exceeds this."""
        size = len(self.prices)
        largest, totals = np.ones(size), np.ones(size)
        np.maximum.at(largest, self.entries[:, 1], self.counts)
        np.add.at(totals, self.entries[:, 1], self.counts)
        prices = np.abs(self.prices)
        return float(np.sum(largest * (prices @ totals if prices.ndim == 2 else prices * totals)))


def build_units(
    labels: NDArray[np.float64], owners: NDArray[np.int64], *, n_folds: int, kinds: NDArray[np.int64] | None = None
) -> Units:
    """Sum the rows' features over the units that own them.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        owners: Shape (N,), int64: the unit of each row, 0 to U - 1; -1 for a row that is placed already, in equal
            numbers over all folds. Such rows count for the prices only.
        n_folds: The number of folds K.
        kinds: As in ``Units``.
    """
    by_unit = _sums_by_unit(labels, owners)
    weight_of_classes = _CLASSES_OF_IMAGES if kinds is not None else 1.0
    sparse = [
        _sparse_part("combinations", combination_features(labels, owners, n_folds=n_folds), owners),
        _sparse_part("pairs", pair_features(labels, n_folds), owners),
    ]
    if kinds is None:
        sparse.append(_carrier_part(by_unit[:, 1 : 1 + labels.shape[1]]))
    prices = _rate_prices(labels, by_unit, weight_of_classes=weight_of_classes)
    entries = np.argwhere(by_unit > 0)
    bound = _Part(entries, by_unit[tuple(entries.T)], prices).bound() + sum(part.bound() for part in sparse)
    scale = 2.0 ** np.floor(np.log2(_LARGEST_EXACT / (8 * n_folds**2 * bound)))
    return _assemble(by_unit, np.round(prices * scale), sparse, scale, kinds)


def _sums_by_unit(labels: NDArray[np.float64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shape (U, 1 + 2 C): each unit's rows, positives of each class, labelled rows of each class."""
    order = np.argsort(owners, kind="stable")[np.count_nonzero(owners < 0) :]
    table = _row_table(labels[order])
    return np.add.reduceat(table, np.searchsorted(owners[order], np.arange(owners.max() + 1)), axis=0)


def _row_table(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.ones((len(labels), 1)), labels == 1, ~np.isnan(labels)], axis=1).astype(np.float64)


def _rate_prices(
    labels: NDArray[np.float64], by_unit: NDArray[np.float64], *, weight_of_classes: float
) -> NDArray[np.float64]:
    """Shape (1 + 2 C, 1 + 2 C): the quadratic form over rows, positives and labelled rows.

    A class costs ``w (positives_k - rate * labelled_k) ** 2``: what matters is its rate among the labelled rows of the
    fold (all rows, if it is labelled everywhere), not its count.
    """
    n_classes = labels.shape[1]
    totals = np.maximum(1.0, _row_table(labels).sum(axis=0))
    missing = np.isnan(labels).any(axis=0)
    share = 1.0 / (max(1, n_classes) * totals**2)
    weights = share * np.repeat(
        [0.0, _IMPORTANCE["positives"] * weight_of_classes, _IMPORTANCE["labelled"]], [1, n_classes, n_classes]
    )
    weights[1 + n_classes :][~missing] = 0.0
    weights[0] = _IMPORTANCE["rows"] * _effective_number(by_unit[:, 0]) ** 0.75 / totals[0] ** 2
    prices = np.diag(weights)
    classes = np.arange(1, 1 + n_classes)
    bases = np.where(missing, classes + n_classes, 0)
    rates = totals[classes] / totals[bases]
    np.add.at(prices, (bases, bases), weights[classes] * rates**2)
    prices[classes, bases] -= weights[classes] * rates
    prices[bases, classes] -= weights[classes] * rates
    return prices


def _effective_number(sizes: NDArray[np.float64]) -> float:
    """How many equal groups would leave as much chance to the fold sizes as these do.

    ``(sum x) ** 2 / sum x ** 2``. Source: Kish, "Survey Sampling" (1965), his effective sample size.
    """
    return float(sizes.sum() ** 2 / np.sum(sizes**2))


def _sparse_part(name: str, family: Family, owners: NDArray[np.int64]) -> _Part:
    units = owners[family.rows]
    owned = units >= 0
    size = max(1, family.size)
    keys, counts = np.unique(units[owned] * size + family.features[owned], return_counts=True)
    totals = np.maximum(1.0, np.bincount(family.features, minlength=family.size))
    entries = np.stack([keys // size, keys % size], axis=1)
    return _Part(entries, counts.astype(np.float64), _IMPORTANCE[name] / (size * totals**2))


def _carrier_part(positives: NDArray[np.float64]) -> _Part:
    """The number of groups with a positive, a feature a class."""
    entries = np.argwhere(positives > 0)
    totals = np.maximum(1.0, np.count_nonzero(positives, axis=0))
    weights = _IMPORTANCE["carriers"] / (max(1, len(totals)) * totals**2)
    return _Part(entries, np.ones(len(entries)), weights)


def _assemble(
    by_unit: NDArray[np.float64],
    prices: NDArray[np.float64],
    sparse: list[_Part],
    scale: float,
    kinds: NDArray[np.int64] | None,
) -> Units:
    priced = by_unit @ prices
    used = np.argwhere((by_unit != 0) | (priced != 0))
    entries, counts, weighted = [used], [by_unit[tuple(used.T)]], [priced[tuple(used.T)]]
    first = by_unit.shape[1]
    for part in sparse:
        entries.append(part.entries + np.array([0, first]))
        counts.append(part.counts)
        weighted.append(part.counts * np.maximum(1.0, np.round(part.prices * scale))[part.entries[:, 1]])
        first += len(part.prices)
    joined, values = np.concatenate(entries), np.concatenate(counts)
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    owners, features = joined[order].T.copy()
    starts = np.searchsorted(owners, np.arange(len(by_unit) + 1))
    totals: NDArray[np.float64] = np.bincount(features, values[order], minlength=first).astype(np.float64)
    return Units(starts, features, values[order], np.concatenate(weighted)[order], totals, kinds)
