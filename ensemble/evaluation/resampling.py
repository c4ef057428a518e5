"""Sums over resampled groups, all resamples as one matrix product.

A resample of G groups with replacement is a row of multinomial weights on the groups, and its sums are the weighted
sums of what each group adds. Groups (or rows) that add the same share one row of the product, which changes nothing.

The seed, the number of resamples and the groups decide which groups are drawn, and nothing else does: whatever is
summed, in whichever call, is summed over the same resamples.
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
        statistics: Shape (N, K), what each row adds.
        groups: Shape (N,), what is drawn together; None: every row is independent.
        n_resamples: B, how many times groups are drawn.
        seed: The only source of chance.

    Returns:
        Shape (B, K). Calls with the same seed and groups give sums over the same resamples, so that they can be paired.

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
        raise ArrayError(f"groups: expected one a row, one of each of {len(values)} rows, got shape {members.shape}")
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
    distinct, kinds = _distinct(units)
    exact = units.dtype.kind == "u" and len(units) * int(units.max(initial=0)) < _EXACT
    number = np.float32 if exact else np.float64
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    totals = np.empty((n_resamples, units.shape[1]))
    portion = width = max(1, _CELLS // len(distinct))
    for start in range(0, n_resamples, portion):
        rows = slice(start, min(start + portion, n_resamples))
        weights = _draw(rng, kinds, len(distinct), rows.stop - rows.start).astype(number, copy=False)
        for column in range(0, units.shape[1], width):
            block = slice(column, column + width)
            totals[rows, block] = weights @ distinct[:, block].astype(number)
    return totals


def draw_units(n_units: int, n_resamples: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each unit is in each resample, shape (b, G), a few resamples at a time: those of ``resample``."""
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    portion = max(1, _CELLS // n_units)
    for start in range(0, n_resamples, portion):
        yield _draw(rng, np.arange(n_units), n_units, min(portion, n_resamples - start))


def _distinct(units: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different rows among G units, shape (G, K), and for each unit which of them it is, shape (G,)."""
    if not units.size:
        return units[:1], np.zeros(len(units), dtype=np.intp)
    flat = np.ascontiguousarray(units)
    as_bytes = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, kinds = np.unique(as_bytes, return_index=True, return_inverse=True)
    return flat[first], kinds


def _draw(rng: np.random.Generator, kinds: NDArray[np.intp], n_kinds: int, n_resamples: int) -> NDArray[np.float32]:
    """How often each kind of unit is in each resample, shape (n_resamples, n_kinds)."""
    weights = np.empty((n_resamples, n_kinds), dtype=np.float32)
    for row in weights:
        drawn = rng.integers(len(kinds), size=len(kinds), dtype=np.int32)
        row[:] = np.bincount(kinds[drawn], minlength=n_kinds)
    return weights
