r"""How far a macro-F1 would move if other patients had been scored: the group bootstrap.

All rows of a group (a patient) are drawn together, as many groups as there are, with replacement; without groups,
rows are drawn. Macro-F1 is computed anew on each such resample, by the same rule as always
(:mod:`ensemble.metrics`: 0/0 = 0), and the middle 95 % of the results are the interval. Decisions are taken as they
are: neither networks nor thresholds are fitted again.

F1 needs sums alone, so a group is reduced to its counts once and a resample is a row of multinomial weights on the
groups: all resamples are one matrix product. Groups (or rows) with equal counts are drawn as one, with the sum of
their chances, which changes nothing: the resamples have the same distribution.

Source: Efron 1979, doi 10.1214/aos/1176344552 (bootstrap, percentile interval: Efron and Tibshirani 1993, chapter 13);
Field and Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x (whole groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError, checked_decisions, checked_labels
from ensemble.metrics import macro_f1, mean_of_defined
from ensemble.results import Interval
from ensemble.seeds import derive_seed

RESAMPLES = 2000
LEVEL = 0.95
_CELLS = 2**24
"""Numbers in one working matrix: 64 MiB of float32. Also the whole numbers that float32 adds without rounding."""


def score_interval(
    labels: ArrayLike,
    decisions: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Macro-F1 and its 95 % interval.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool.
        groups: Shape (N,), what is drawn together; None: every row is independent.
        n_resamples: How many times groups are drawn.
        seed: The only source of chance.

    Raises:
        ArrayError: Shapes or values are not so, or there are fewer than two groups.
    """
    scores = bootstrap_macro_f1(labels, [decisions], groups=groups, n_resamples=n_resamples, seed=seed)
    return interval_of(macro_f1(labels, decisions), scores[0])


def paired_interval(  # noqa: PLR0913 - as score_interval, for two
    labels: ArrayLike,
    decisions: ArrayLike,
    *,
    other: ArrayLike,
    groups: ArrayLike | None = None,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Macro-F1 of ``decisions`` less that of ``other``, both on the same resamples, and its 95 % interval.

    Two systems err on the same patients, so their difference is known far better than two intervals suggest.
    Arguments and errors as for ``score_interval``.
    """
    scores = bootstrap_macro_f1(labels, [decisions, other], groups=groups, n_resamples=n_resamples, seed=seed)
    return interval_of(macro_f1(labels, decisions) - macro_f1(labels, other), scores[0] - scores[1])


def interval_of(point: float, resampled: NDArray[np.float64]) -> Interval:
    """``point`` with the middle 95 % of the resampled values, shape (B,)."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(point, float(low), float(high))


def group_counts(labels: ArrayLike, decisions: ArrayLike, groups: ArrayLike | None = None) -> NDArray[Any]:
    """True positives, false positives, false negatives and true negatives of each group and class.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled: such a cell counts nowhere.
        decisions: Shape (N, C), bool.
        groups: Shape (N,), text or numbers; None: every row is its own group.

    Returns:
        Shape (G, C, 4), groups in ascending order; the smallest unsigned integers that hold the counts.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    truth = checked_labels(labels)
    decided = checked_decisions(decisions, truth.shape)
    positive, negative = truth == 1, truth == 0
    cells = np.stack([positive & decided, negative & decided, positive & ~decided, negative & ~decided], axis=2)
    if groups is None:
        return cells.view(np.uint8)
    members = np.asarray(groups)
    if members.shape != truth.shape[:1]:
        raise ArrayError(f"groups: expected one a row, shape {truth.shape[:1]}, got {members.shape}")
    order = np.argsort(members, kind="stable")
    starts = np.flatnonzero(np.r_[True, members[order][1:] != members[order][:-1]])[: len(members)]
    sums = np.add.reduceat(cells[order], starts, axis=0, dtype=np.int64)
    return sums.astype(np.min_scalar_type(int(sums.max(initial=0))))


def resampled_macro_f1(counts: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Macro-F1 of each resample.

    Args:
        counts: Shape (G, C, 4), see ``group_counts``.
        weights: Shape (B, G), how often each group is in each resample.

    Returns:
        Shape (B,). 0/0 = 0, in resamples too; a class of which no group has a labelled row is left out, and without
        any other class the result is NaN.
    """
    hits, errors = np.moveaxis(_hits_and_errors(counts[:, _labelled(counts)]), 2, 0)
    wide = weights.astype(np.float64)
    return _macro_f1(wide @ hits, wide @ errors)


def bootstrap_macro_f1(
    labels: ArrayLike,
    systems: Sequence[ArrayLike],
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Macro-F1 of several systems on the same resamples, so that any two of them can be compared.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        systems: S arrays of decisions, shape (N, C), bool.
        groups: Shape (N,), what is drawn together; None: every row is independent.
        n_resamples: B, how many times groups are drawn.
        seed: The only source of chance. The order of rows does not matter, nor how groups are called.

    Returns:
        Shape (S, B).

    Raises:
        ArrayError: Shapes or values are not so, there are fewer than two groups, or no resamples are wanted.
    """
    codes = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units, chances = _distinct(_all_counts(labels, systems, codes))
    n_units = int(chances.sum())
    if n_units < 2 or n_resamples < 1:
        what = "rows" if groups is None else "groups"
        raise ArrayError(f"bootstrap: expected at least 2 {what} and 1 resample, got {n_units} and {n_resamples}")
    exact_in_float32 = n_units * int(units.max(initial=0)) < _CELLS
    number = np.float32 if exact_in_float32 else np.float64
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    scores = np.empty((len(systems), n_resamples))
    for rows, weights in _draws(rng, chances, n_resamples):
        for block in _blocks(units):
            sums = weights.astype(number) @ units[:, block].reshape(len(units), -1).astype(number)
            hits, errors = np.moveaxis(sums.reshape(len(weights), *units[0, block].shape).astype(np.float64), 3, 0)
            scores[block, rows] = _macro_f1(hits, errors).T
    return scores


def _all_counts(
    labels: ArrayLike, systems: Sequence[ArrayLike], codes: NDArray[np.intp] | None
) -> NDArray[Any]:
    """Hits and errors of every group, shape (G, S, C', 2), for the C' classes that have a labelled row."""
    counted = []
    for decisions in systems:
        counts = group_counts(labels, decisions, codes)
        counted.append(_hits_and_errors(counts[:, _labelled(counts)]))
    return np.stack(counted, axis=1)


def _labelled(counts: NDArray[Any]) -> NDArray[np.bool_]:
    """Shape (C,): the classes of which any row is labelled."""
    found: NDArray[np.bool_] = counts.any(axis=(0, 2))
    return found


def _hits_and_errors(counts: NDArray[Any]) -> NDArray[Any]:
    """Shape (G, C, 2): TP, and FP + FN, of which F1 is made."""
    largest = int(counts.max(initial=0))
    wide = counts.astype(np.min_scalar_type(2 * largest), copy=False)
    return np.stack([wide[..., 0], wide[..., 1] + wide[..., 2]], axis=-1)


def _macro_f1(hits: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of 2 TP / (2 TP + errors), 0/0 = 0."""
    doubled = 2 * hits
    f1 = doubled / np.maximum(doubled + errors, 1)
    return f1.mean(axis=-1) if f1.shape[-1] else np.full(f1.shape[:-1], np.nan)


def _distinct(counts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different ones among G units, in an order of their own, and how many there are of each."""
    flat = np.ascontiguousarray(counts.reshape(len(counts), -1))
    if not flat.size:
        return counts[:1], np.array([len(counts)], dtype=np.int64)
    as_bytes = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, multiplicity = np.unique(as_bytes, return_index=True, return_counts=True)
    return counts[first], multiplicity.astype(np.int64)


def _draws(
    rng: np.random.Generator, chances: NDArray[np.int64], n_resamples: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Resamples in portions: which of them, and how often each distinct unit is in each, shape (b, U).

    Both ways draw from the same multinomial distribution: the first takes time for each distinct unit, the second less
    time, but for each unit.
    """
    n_units = int(chances.sum())
    few = 8 * len(chances) < n_units
    portion = max(1, _CELLS // 2 // n_units)
    unit_of = np.repeat(np.arange(len(chances), dtype=np.int32), chances)
    for start in range(0, n_resamples, portion):
        size = min(portion, n_resamples - start)
        if few:
            yield slice(start, start + size), rng.multinomial(n_units, chances / n_units, size=size)
            continue
        weights = np.empty((size, len(chances)), dtype=np.int32)
        for row in weights:
            drawn = rng.integers(n_units, size=n_units, dtype=np.int32)
            row[:] = np.bincount(unit_of[drawn], minlength=len(chances))
        yield slice(start, start + size), weights


def _blocks(units: NDArray[Any]) -> Iterator[slice]:
    """Parts of the systems of ``units``, shape (U, S, C, 2), that are small enough to be multiplied at once."""
    n_systems = units.shape[1]
    step = max(1, _CELLS * n_systems // max(1, units.size))
    for start in range(0, n_systems, step):
        yield slice(start, min(start + step, n_systems))
