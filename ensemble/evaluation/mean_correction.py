r"""Thresholds for rows that are scored by the mean of K fold models, from thresholds for rows scored by one.

A training row is scored out-of-fold, by one model; a test row by the mean of K, which is less extreme: the threshold
that one model's scores were cut at cuts the mean's elsewhere. How often a fold model says "positive" of the test rows
can be looked up without their labels, and the mean is cut where it says so as often:

.. math:: q_k = \frac1N |\{i: p_{ki} \ge t\}|, \qquad t' = \text{the } (1 - \bar q) \text{ quantile of } \bar p_i

Nothing is assumed of how many test rows are positive: if there are more, every fold model says so. But t' is made of
all test rows together, so a decision depends on which others there are: what does this is asked for by a flag.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError, checked_probabilities
from ensemble.thresholds.cuts import RankedClass


def match_fold_models(thresholds: ArrayLike, fold_models: NDArray[Any], mean: NDArray[Any]) -> NDArray[np.float64]:
    """Thresholds that call as many rows positive by the mean as the fold models do by the given ones, on average.

    Args:
        thresholds: Shape (C,), of one model's probabilities.
        fold_models: Shape (K, N, C), in [0, 1]: what each fold model says of the rows (of a blend: the blend of the
            members' fold-k models).
        mean: Shape (N, C), in [0, 1]: what the mean says of them.

    Returns:
        Shape (C,), float64. A given one stays where it selects that many rows already, or where there are no rows.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    given, scores = np.asarray(thresholds, dtype=np.float64), checked_probabilities(mean)
    if fold_models.ndim != 3 or fold_models.shape[1:] != scores.shape or not len(fold_models):
        raise ArrayError(
            f"fold models: expected shape (models, {scores.shape[0]}, {scores.shape[1]}), got {fold_models.shape}"
        )
    counts = np.mean([(checked_probabilities(one) >= given).sum(axis=0) for one in fold_models], axis=0)
    return _selecting(counts, given, scores)


def match_rates(thresholds: ArrayLike, rates: ArrayLike, probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Thresholds that call the given share of the rows positive, whatever the rows are like.

    This assumes that as many test rows as training rows are positive, which a test set need not keep.

    Args:
        thresholds: Shape (C,), the plain ones.
        rates: Shape (C,), in [0, 1]; NaN where nothing is known: the plain threshold stays.
        probabilities: Shape (N, C), in [0, 1].

    Returns:
        Shape (C,), float64; where scores are equal, the share that is nearest.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    given, scores = np.asarray(thresholds, dtype=np.float64), checked_probabilities(probabilities)
    return _selecting(np.asarray(rates, dtype=np.float64) * len(scores), given, scores)


def _selecting(
    counts: NDArray[np.float64], thresholds: NDArray[np.float64], scores: NDArray[Any]
) -> NDArray[np.float64]:
    if not counts.shape == thresholds.shape == scores.shape[1:]:
        raise ArrayError(
            f"thresholds: expected one for each of {scores.shape[1]} classes, got shape {thresholds.shape}; "
            f"and as many rates, got {counts.shape}"
        )
    columns = np.sort(scores.astype(np.float64), axis=0).T
    found = [_select(*one) for one in zip(counts.tolist(), thresholds.tolist(), columns, strict=True)]
    return np.array(found, dtype=np.float64)


def _select(count: float, threshold: float, ascending: NDArray[np.float64]) -> float:
    """A threshold that selects about ``count`` of the scores; the given one, if it does."""
    if not len(ascending) or np.isnan(count):
        return threshold
    nothing = np.zeros(len(ascending), dtype=np.bool_)
    ranked = RankedClass(ascending, nothing, np.arange(len(ascending)))
    if abs(ranked.selected(threshold) - count) <= 0.5:
        return threshold
    # Equal scores are selected together: not every number of them can be.
    possible = np.append(len(ascending) - np.searchsorted(ascending, np.unique(ascending)), 0)
    nearest = possible[np.abs(possible - count).argmin()]
    if nearest == 0:
        return float(np.nextafter(ascending[-1], np.inf))
    return ranked.threshold_selecting(float(nearest))
