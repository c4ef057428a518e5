r"""How alike members err. A mean of members gains where their errors differ.

Two measures a pair of members. The correlation of errors: for each class, Pearson's correlation of
:math:`p_a - y` and :math:`p_b - y` over its labelled rows, then the mean over classes. Labels are subtracted because
two members that are right agree for that reason alone; for a mean of probabilities it is the errors' covariance that
averaging does or does not take away. The disagreement: the share of labelled cells that the two decide differently,
which counts only what changes the score.

Source: Tumer and Ghosh 1996, doi 10.1080/095400996116839 (correlated errors and the gain of an average);
Kuncheva and Whitaker 2003, doi 10.1023/A:1022859003006 (disagreement, and how little such measures promise).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def error_correlations(labels: NDArray[np.float64], probabilities: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
    """Mean over classes of the correlation of errors, shape (M, M), float64, 1 on the diagonal.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        probabilities: M arrays of shape (N, C), in [0, 1].

    Returns:
        NaN for a pair that has no class in which both errors vary.
    """
    n_members = len(probabilities)
    total, counted = np.zeros((n_members, n_members)), np.zeros((n_members, n_members))
    for column in range(labels.shape[1]):
        truth = labels[:, column]
        rows = ~np.isnan(truth)
        if rows.any():
            found = _correlations(np.stack([scores[rows, column] - truth[rows] for scores in probabilities]))
            total += np.nan_to_num(found)
            counted += ~np.isnan(found)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)


def _correlations(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's, of M rows of N numbers, shape (M, M); NaN where a row does not vary."""
    centred = errors - errors.mean(axis=1, keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=1))
    # Less than rounding leaves of a constant row is no variation.
    varies = lengths > 1e-12 * np.sqrt(errors.shape[1])
    scaled = centred / np.where(varies, lengths, 1.0)[:, None]
    found = np.clip(scaled @ scaled.T, -1.0, 1.0)
    return np.where(np.outer(varies, varies), found, np.nan)


def disagreements(labels: NDArray[np.float64], decisions: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Share of labelled cells that two members decide differently, shape (M, M), 0 on the diagonal.

    Args:
        labels: Shape (N, C), NaN = not labelled; only which cells are labelled matters.
        decisions: M arrays of shape (N, C), bool.

    Returns:
        NaN without any labelled cell.
    """
    n_members = len(decisions)
    both, labelled = np.zeros((n_members, n_members)), ~np.isnan(labels)
    for column in range(labels.shape[1]):
        said = np.stack([decided[labelled[:, column], column] for decided in decisions]).astype(np.float64)
        both += said @ said.T
    own = np.diag(both)
    n_cells = int(labelled.sum())
    differing = own[:, None] + own[None, :] - 2 * both
    return differing / n_cells if n_cells else np.full_like(both, np.nan)
