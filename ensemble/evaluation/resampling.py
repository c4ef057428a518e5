"""Sums over resampled groups, all resamples as one matrix product.

A resample of G groups with replacement is a row of multinomial weights on the groups, and its sums are the weighted
sums of what each group adds. Groups (or rows) that add the same are drawn as one, with the sum of their chances, which
changes nothing: the resamples have the same distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError
from ensemble.seeds import derive_seed

RESAMPLES = 2000
_CELLS = 2**24
"""Numbers in one working matrix: 64 MiB of float32."""
_EXACT = 2**24
"""Sums of whole numbers below this are exact in float32."""


def resampled_totals(
    statistics: NDArray[Any], *, groups: ArrayLike | None = None, n_resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Sums over resampled rows, for any score that is a function of sums.

    Args:
        statistics: Shape (N, K), what each row adds. For a paired comparison: both systems' side by side.
        groups: Shape (N,), what is drawn together; None: every row is independent.
        n_resamples: B, how many times groups are drawn.
        seed: The only source of chance.

    Returns:
        Shape (B, K).

    Raises:
        ArrayError: There are fewer than two groups, no resamples are wanted, or the shapes do not fit.
    """
    return resample(sums_of_groups(statistics, groups), n_resamples, seed)


def sums_of_groups(values: NDArray[Any], groups: ArrayLike | None) -> NDArray[Any]:
    """The sum over each group's rows, along the first axis; groups in ascending order."""
    if groups is None:
        return values
    members = np.asarray(groups)
    if members.shape != values.shape[:1]:
        raise ArrayError(f"groups: expected one a row, shape {values.shape[:1]}, got {members.shape}")
    order = np.argsort(members, kind="stable")
    starts = np.flatnonzero(np.r_[True, members[order][1:] != members[order][:-1]])[: len(members)]
    wide = np.float64 if values.dtype.kind == "f" else np.int64
    sums: NDArray[Any] = np.add.reduceat(values[order], starts, axis=0, dtype=wide)
    return sums


def narrowed(numbers: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers of at least 0 as the smallest type that holds them; any others as float64."""
    if numbers.dtype.kind == "f" or numbers.min(initial=0) < 0:
        return numbers.astype(np.float64, copy=False)
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))), copy=False)


def resample(units: NDArray[Any], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums over resamples, shape (B, K), of G units, shape (G, K); arguments and errors as ``resampled_totals``."""
    if len(units) < 2 or n_resamples < 1:
        raise ArrayError(
            f"bootstrap: expected at least 2 groups (or rows, where there are none) and 1 resample, got {len(units)} "
            f"and {n_resamples}"
        )
    units = narrowed(units)
    distinct, multiplicity = _distinct(units)
    exact = units.dtype.kind == "u" and len(units) * int(units.max(initial=0)) < _EXACT
    number = np.float32 if exact else np.float64
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    totals = np.empty((n_resamples, units.shape[1]))
    width = max(1, _CELLS // len(distinct))
    for rows, weights in _draws(rng, multiplicity, n_resamples):
        chances = weights.astype(number, copy=False)
        for start in range(0, units.shape[1], width):
            block = slice(start, start + width)
            totals[rows, block] = chances @ distinct[:, block].astype(number)
    return totals


def _distinct(units: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different rows among G units, shape (G, K), in an order of their own, and how many there are of each."""
    if not units.size:
        return units[:1], np.array([len(units)], dtype=np.int64)
    flat = np.ascontiguousarray(units)
    as_bytes = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, multiplicity = np.unique(as_bytes, return_index=True, return_counts=True)
    return flat[first], multiplicity.astype(np.int64)


def _draws(
    rng: np.random.Generator, multiplicity: NDArray[np.int64], n_resamples: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Resamples in portions: which of them, and how often each distinct unit is in each, shape (b, U).

    Both ways draw from the same multinomial distribution: the first takes time for each distinct unit, the second less
    time, but for each unit.
    """
    n_units = int(multiplicity.sum())
    few = 8 * len(multiplicity) < n_units
    portion = max(1, _CELLS // n_units)
    unit_of = np.repeat(np.arange(len(multiplicity), dtype=np.int32), multiplicity)
    for start in range(0, n_resamples, portion):
        size = min(portion, n_resamples - start)
        if few:
            yield slice(start, start + size), rng.multinomial(n_units, multiplicity / n_units, size=size)
            continue
        weights = np.empty((size, len(multiplicity)), dtype=np.float32)
        for row in weights:
            drawn = rng.integers(n_units, size=n_units, dtype=np.int32)
            row[:] = np.bincount(unit_of[drawn], minlength=len(multiplicity))
        yield slice(start, start + size), weights
