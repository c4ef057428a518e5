"""The best possible score where the true label probabilities are known, as they are for generated data.

No rule that sees only the images can know more of a label than its true probability. So the score of the best rule
on *these* probabilities, with thresholds that look at no label, is what a perfect model could hope for on the same
rows: the ceiling that a demo score is read against. (One fortunate draw of the labels can lie above it.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_labels, checked_probabilities
from ensemble.metrics import macro_f1


def oracle_thresholds(true_probabilities: ArrayLike) -> NDArray[np.float64]:
    r"""The threshold per class that maximises the expected F1, from the probabilities alone.

    Selecting the rows with :math:`p \ge t`, the expected F1 is, up to terms of order 1/N,

    .. math:: F(t) = \frac{2 \sum_{p_i \ge t} p_i}{|\{i : p_i \ge t\}| + \sum_i p_i}

    and its maximiser is one of the probabilities: the optimum selects exactly the rows above half the best F1.

    Source: Z. C. Lipton, C. Elkan, B. Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure",
    ECML PKDD 2014, https://arxiv.org/abs/1402.1892 (theorem 1).

    Args:
        true_probabilities: Shape (N, C), in [0, 1].

    Returns:
        Shape (C,), float64; positive iff probability >= threshold. 2.0 (none) for a class that
        cannot occur, or without rows.

    Raises:
        ArrayError: ``true_probabilities`` is not so.
    """
    probabilities = checked_probabilities(true_probabilities).astype(np.float64)
    return np.array([_best_threshold(column) for column in probabilities.T], dtype=np.float64)


def oracle_macro_f1(labels: ArrayLike, true_probabilities: ArrayLike) -> float:
    """The macro-F1 of the best possible rule on the rows that are scored.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        true_probabilities: Shape (N, C), in [0, 1], same rows and classes.

    Returns:
        ``ensemble.metrics.macro_f1`` of the decisions at the ``oracle_thresholds`` of each class's labelled rows.

    Raises:
        ArrayError: The shapes differ, or values are not so.
    """
    truth = checked_labels(labels)
    probabilities = checked_probabilities(true_probabilities, truth.shape).astype(np.float64)
    pairs = zip(truth.T, probabilities.T, strict=True)
    thresholds = [_best_threshold(column[~np.isnan(known)]) for known, column in pairs]
    return macro_f1(truth, probabilities >= np.array(thresholds))


def _best_threshold(column: NDArray[np.float64]) -> float:
    """Of one class (N,): the last probability, from the highest down, that still raises the expected F1."""
    descending = np.sort(column)[::-1]
    total = float(descending.sum())
    if total == 0.0:
        return 2.0
    expected_f1 = 2.0 * np.cumsum(descending) / (np.arange(1, len(descending) + 1) + total)
    last_of_ties = np.append(descending[:-1] != descending[1:], [True])
    return float(descending[np.argmax(np.where(last_of_ties, expected_f1, -1.0))])
