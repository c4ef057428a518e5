r"""How far a macro-F1 would move if other patients had been scored: the group bootstrap.

All rows of a group (a patient) are drawn together, as many groups as there are, with replacement; without groups,
rows are drawn. Macro-F1 is computed anew on each such resample, by the same rule as always
(:mod:`ensemble.metrics`: 0/0 = 0), and the middle 95 % of the results are the interval. Decisions are taken as they
are: neither networks nor thresholds are fitted again.

F1 needs sums alone, so a group is reduced to its counts once (``group_counts``), and all resamples are one matrix
product (:mod:`ensemble.evaluation.resampling`).

Source: Efron 1979, doi 10.1214/aos/1176344552 (bootstrap, percentile interval: Efron and Tibshirani 1993, chapter 13);
Field and Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x (whole groups).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_decisions, checked_labels
from ensemble.evaluation.resampling import RESAMPLES, narrowed, resample, sums_of_groups
from ensemble.metrics import macro_f1
from ensemble.results import Interval

LEVEL = 0.95


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


def paired_interval(
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
    return narrowed(sums_of_groups(cells, groups))


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
        seed: The only source of chance. Every call with this seed and these groups draws the same resamples.

    Returns:
        Shape (S, B).

    Raises:
        ArrayError: Shapes or values are not so, there are fewer than two groups, or no resamples are wanted.
    """
    codes = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    counted = [group_counts(labels, decisions, codes) for decisions in systems]
    units = np.stack([_hits_and_errors(counts[:, _labelled(counts)]) for counts in counted], axis=1)
    totals = resample(units.reshape(len(units), -1), n_resamples, seed)
    hits, errors = np.moveaxis(totals.reshape(n_resamples, *units.shape[1:]), 3, 0)
    return _macro_f1(hits, errors).T


def _labelled(counts: NDArray[Any]) -> NDArray[np.bool_]:
    """Shape (C,): the classes of which any row is labelled."""
    return np.asarray(counts.any(axis=(0, 2)))


def _hits_and_errors(counts: NDArray[Any]) -> NDArray[Any]:
    """Shape (G, C, 2): TP, and FP + FN, of which F1 is made."""
    wide = counts.astype(np.min_scalar_type(2 * int(counts.max(initial=0))), copy=False)
    return np.stack([wide[..., 0], wide[..., 1] + wide[..., 2]], axis=-1)


def _macro_f1(hits: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of 2 TP / (2 TP + errors), 0/0 = 0."""
    doubled = 2 * hits
    f1 = doubled / np.maximum(doubled + errors, 1)
    return f1.mean(axis=-1) if f1.shape[-1] else np.full(f1.shape[:-1], np.nan)
