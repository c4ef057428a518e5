r"""Thresholds with the best in-sample F-beta, found exactly.

.. math:: F_\beta = \frac{(1 + \beta^2) TP}{(1 + \beta^2) TP + \beta^2 FN + FP}
                   = \frac{(1 + \beta^2) TP}{\text{selected} + \beta^2 \text{positives}}

Macro-F1 is a sum over classes, so each class can be solved alone. As the threshold falls from one score to the next,
F can only rise where a positive is gained: the best cut lies at a positive's score. So the cuts to look at are the
distinct scores of positives, and ``binned`` tells which of them can be the best before anything is sorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_labels, checked_probabilities, label_array, probability_array
from ensemble.thresholds.binned import f_beta, find_rivals
from ensemble.thresholds.columns import solve_columns

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
    truth = label_array(labels)
    scores = probability_array(probabilities, truth.shape)
    return solve_columns(truth, scores, lambda of_class, positive: _best_threshold(of_class, positive, beta))


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


def _best_threshold(scores: NDArray[Any], positive: NDArray[np.bool_], beta: float) -> float:
    """The best threshold of one class from its labelled rows, shape (n,) each."""
    n_positives = int(np.count_nonzero(positive))
    if not n_positives:
        return NONE_POSITIVE
    rivals = find_rivals(scores, positive, beta)
    cut = rivals.cuts[_last_best(f_beta(rivals.hits, rivals.selected, n_positives, beta))]
    lower = scores < cut
    if not lower.any():
        return ALL_POSITIVE
    return _midpoint(float((scores * lower).max()), float(cut))  # faster than the scores under a mask; none is below 0


def _best_shared_threshold(
    labels: NDArray[np.float64], scores: NDArray[Any], beta: float, weights: NDArray[np.float64] | None
) -> float:
    """One threshold for all columns, shape (N, C) each, that maximises the (weighted) sum of their F-beta."""
    cuts = np.unique(scores[labels == 1])
    if not cuts.size:
        return NONE_POSITIVE
    total = np.zeros(len(cuts))
    for column in range(labels.shape[1]):
        weight = 1.0 if weights is None else weights[column]
        total += weight * _f_at(cuts, labels[:, column], scores[:, column], beta)
    cut = cuts[_last_best(total)]
    lower = scores[(scores < cut) & ~np.isnan(labels)]
    return _midpoint(float(lower.max()), float(cut)) if lower.size else ALL_POSITIVE


def _f_at(cuts: NDArray[Any], labels: NDArray[np.float64], scores: NDArray[Any], beta: float) -> NDArray[np.float64]:
    """F-beta of one class, (N,), when rows with score >= cut are positive, for each of the ascending ``cuts``."""
    positives, negatives = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    if not positives.size:
        return np.zeros(len(cuts))
    hits = len(positives) - np.searchsorted(positives, cuts)
    return f_beta(hits, hits + len(negatives) - np.searchsorted(negatives, cuts), len(positives), beta)


def _last_best(values: NDArray[np.float64]) -> int:
    """Where the greatest value stands, of equals the last."""
    return len(values) - 1 - int(np.argmax(values[::-1]))


def _midpoint(lower: float, upper: float) -> float:
    """A threshold that leaves room on both sides: between the lowest score that it selects and the next lower."""
    midpoint = lower + (upper - lower) / 2
    return midpoint if midpoint > lower else upper
