"""Thresholds with the best in-sample F1, found exactly.

Macro-F1 is a sum over classes, so each class can be solved alone. As the threshold falls from one score to the next,
F1 can only rise where a positive is gained: the best cut lies at a positive's score. So the cuts to look at are the
distinct scores of positives, and what each of them selects is counted by one binary search a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_labels, checked_probabilities

ALL_POSITIVE = 0.0
NONE_POSITIVE = 2.0


def exact_thresholds(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """The threshold of each class that maximises its F1, and so macro-F1, on these rows.

    This score is optimistic: it is of the rows that chose the thresholds. ``ensemble.evaluation.cross_fit`` scores
    them on rows that did not.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled; such rows are ignored for that class.
        probabilities: Shape (N, C), in [0, 1], float32 or float64. The order of rows does not matter.

    Returns:
        Shape (C,), float64, to be used as probability >= threshold (``decide``): the midpoint between the lowest
        score that is positive and the next distinct lower score of a labelled row (the upper score itself where no
        float64 lies between). 0.0 where all rows are best called positive. 2.0, none, for a class without a labelled
        positive, be it that none is positive or that no row is labelled. Of cuts with equal F1 the highest threshold.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    truth = checked_labels(labels)
    scores = checked_probabilities(probabilities, truth.shape)
    columns = [slice(column, column + 1) for column in range(truth.shape[1])]
    return np.array([_best_shared_threshold(truth[:, one], scores[:, one]) for one in columns], dtype=np.float64)


def global_threshold(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The one threshold for all classes that maximises macro-F1 on these rows; every distinct cut is considered.

    Arguments, meaning of the number and errors as for ``exact_thresholds``.
    """
    truth = checked_labels(labels)
    return _best_shared_threshold(truth, checked_probabilities(probabilities, truth.shape))


def _best_shared_threshold(labels: NDArray[np.float64], scores: NDArray[Any]) -> float:
    """One threshold for all columns, shape (N, C) each, that maximises the sum of their F1."""
    cuts = np.unique(scores[labels == 1])
    if not cuts.size:
        return NONE_POSITIVE
    total = np.zeros(len(cuts))
    for column in range(labels.shape[1]):
        total += _f1_at(cuts, labels[:, column], scores[:, column])
    best = len(cuts) - 1 - int(np.argmax(total[::-1]))
    return _threshold_at(cuts[best], scores[~np.isnan(labels)])


def _f1_at(cuts: NDArray[Any], labels: NDArray[np.float64], scores: NDArray[Any]) -> NDArray[np.float64]:
    """F1 of one class, (N,), when rows with score >= cut are positive, for each of the ascending ``cuts``.

    Ratios of integers below 2**26 are equal as float64 iff they are equal, so that ties are ties.
    """
    positive = labels == 1
    n_positives = int(positive.sum())
    if not n_positives:
        return np.zeros(len(cuts))
    hits = _counts_at_or_above(cuts, scores[positive])
    selected = hits + _counts_at_or_above(cuts, scores[labels == 0])
    return 2.0 * hits / (selected + n_positives)


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
