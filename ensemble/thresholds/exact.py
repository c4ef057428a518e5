r"""Thresholds with the best in-sample F-beta, found exactly.

.. math:: F_\beta = \frac{(1 + \beta^2) TP}{(1 + \beta^2) TP + \beta^2 FN + FP}
                   = \frac{(1 + \beta^2) TP}{\text{selected} + \beta^2 \text{positives}}

Macro-F1 is a sum over classes, so each class can be solved alone. As the threshold falls from one score to the next,
F can only rise where a positive is gained: the best cut lies at a positive's score. So the cuts to look at are the
distinct scores of positives, and what each of them selects is counted by one binary search a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_labels, checked_probabilities

ALL_POSITIVE = 0.0
NONE_POSITIVE = 2.0


def exact_thresholds(labels: ArrayLike, probabilities: ArrayLike, *, beta: float = 1.0) -> NDArray[np.float64]:
    """The threshold of each class that maximises its F-beta, and so the mean over classes, on these rows.

    This score is optimistic: it is of the rows that chose the thresholds. ``ensemble.evaluation.cross_fit`` scores
    them on rows that did not.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled; such rows are ignored for that class.
        probabilities: Shape (N, C), in [0, 1], float32 or float64. The order of rows does not matter.
        beta: How many times recall counts as much as precision; 1: F1.

    Returns:
        Shape (C,), float64, to be used as probability >= threshold (``decide``): the midpoint between the lowest
        score that is positive and the next distinct lower score of a labelled row (the upper score itself where no
        float64 lies between). 0.0 where all rows are best called positive. 2.0, none, for a class without a labelled
        positive, be it that none is positive or that no row is labelled. Of cuts with equal F the highest threshold.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    truth = checked_labels(labels)
    scores = checked_probabilities(probabilities, truth.shape)
    columns = [slice(column, column + 1) for column in range(truth.shape[1])]
    return np.array([_best_shared_threshold(truth[:, one], scores[:, one], beta) for one in columns], dtype=np.float64)


def global_threshold(
    labels: ArrayLike, probabilities: ArrayLike, *, beta: float = 1.0, by_positives: bool = False
) -> float:
    """The one threshold for all classes that maximises macro-F1 on these rows; every distinct cut is considered.

    Meaning of the number and errors as for ``exact_thresholds``.

    Args:
        labels: As for ``exact_thresholds``.
        probabilities: As for ``exact_thresholds``.
        beta: As for ``exact_thresholds``.
        by_positives: Weight classes by their positives (``weighted_f1``) instead of alike.
    """
    truth = checked_labels(labels)
    weights = (truth == 1).sum(axis=0).astype(np.float64) if by_positives else None
    return _best_shared_threshold(truth, checked_probabilities(probabilities, truth.shape), beta, weights)


def _best_shared_threshold(
    labels: NDArray[np.float64], scores: NDArray[Any], beta: float, weights: NDArray[np.float64] | None = None
) -> float:
    """One threshold for all columns, shape (N, C) each, that maximises the (weighted) sum of their F-beta."""
    cuts = np.unique(scores[labels == 1])
    if not cuts.size:
        return NONE_POSITIVE
    total = np.zeros(len(cuts))
    for column in range(labels.shape[1]):
        weight = 1.0 if weights is None else weights[column]
        total += weight * _f_at(cuts, labels[:, column], scores[:, column], beta)
    best = len(cuts) - 1 - int(np.argmax(total[::-1]))
    return _threshold_at(cuts[best], scores[~np.isnan(labels)])


def _f_at(cuts: NDArray[Any], labels: NDArray[np.float64], scores: NDArray[Any], beta: float) -> NDArray[np.float64]:
    """F-beta of one class, (N,), when rows with score >= cut are positive, for each of the ascending ``cuts``.

    With beta = 1 these are ratios of integers below 2**26, equal as float64 iff they are equal: ties are ties.
    """
    positive = labels == 1
    n_positives = int(positive.sum())
    if not n_positives:
        return np.zeros(len(cuts))
    hits = _counts_at_or_above(cuts, scores[positive])
    selected = hits + _counts_at_or_above(cuts, scores[labels == 0])
    return (1.0 + beta**2) * hits / (selected + beta**2 * n_positives)


def _counts_at_or_above(cuts: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.int64]:
    """How many scores are >= each of the ascending ``cuts``."""
    cuts_reached = np.searchsorted(cuts, scores, side="right")
    per_step = np.bincount(cuts_reached, minlength=len(cuts) + 1)
    return per_step[::-1].cumsum()[::-1][1:].astype(np.int64, copy=False)


def _threshold_at(cut: float, scores: NDArray[Any]) -> float:
    """A threshold that selects the scores >= ``cut`` and leaves room on both sides."""
    below = scores[scores < cut]
    if not below.size:
        return ALL_POSITIVE
    lower, upper = float(below.max()), float(cut)
    midpoint = lower + (upper - lower) / 2
    return midpoint if midpoint > lower else upper
