r"""Decisions image by image that maximise the expected F1 of the image.

For labels that are independent given their probabilities q, the best set of k labels is that of the k highest q, and

.. math:: \mathbb E F_1(k) = \sum_{i,j} \frac{2i}{k+i+j}\,P(i \text{ of the } k \text{ are positive})\,
          P(j \text{ of the others are positive}),\qquad
          \mathbb E F_1(0) = P(\text{none is positive})

The best k is found for every image by itself. Labels of one image are not really independent; the cross-fitted score
shows what that costs.

Source: Ye, Chai, Lee, Chieu, Optimizing F-measure: a tale of two approaches (ICML 2012), arXiv:1206.4625; the 0/0 = 1
of an image without a finding as in :func:`ensemble.metrics.sample_f1`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CELLS_AT_ONCE = 4_000_000


def expected_f1_decisions(calibrated: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The decisions with the best expected F1 of each row.

    Args:
        calibrated: Shape (N, C), the probability of each label, in [0, 1].

    Returns:
        Shape (N, C), bool; of equally good sets the smallest.
    """
    n_rows, n_classes = calibrated.shape
    order = np.argsort(-calibrated, axis=1, kind="stable")
    chosen = np.zeros(calibrated.shape, dtype=np.bool_)
    step = max(1, _CELLS_AT_ONCE // (n_classes + 1) ** 2)
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        ranked = np.take_along_axis(calibrated[part], order[part], axis=1)
        selected = np.arange(n_classes) < _best_counts(ranked)[:, None]
        np.put_along_axis(chosen[part], order[part], selected, axis=1)
    return chosen


def _best_counts(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shape (N,): how many labels to call, of rows of falling probabilities, shape (N, C)."""
    n_classes = ranked.shape[1]
    tails = _counts_from_the_end(ranked)
    best, counts = tails[0][:, 0].copy(), np.zeros(len(ranked), dtype=np.int64)
    head = np.ones((len(ranked), 1))
    for k in range(1, n_classes + 1):
        head = _with_one_more(head, ranked[:, k - 1])
        i, j = np.arange(k + 1)[:, None], np.arange(n_classes - k + 1)[None, :]
        expected = np.einsum("ni,ij,nj->n", head, 2.0 * i / (k + i + j), tails[k], optimize=True)
        better = expected > best + 1e-12
        best[better], counts[better] = expected[better], k
    return counts


def _counts_from_the_end(ranked: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """At k: the distribution of the number of positives among the labels from the k-th on, shape (N, C - k + 1)."""
    tails = [np.ones((len(ranked), 1))]
    for k in range(ranked.shape[1] - 1, -1, -1):
        tails.append(_with_one_more(tails[-1], ranked[:, k]))
    return tails[::-1]


def _with_one_more(counts: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distribution of a count, shape (N, K), after one more label that is positive with ``probability``."""
    longer = np.zeros((counts.shape[0], counts.shape[1] + 1))
    longer[:, :-1] = counts * (1.0 - probability)[:, None]
    longer[:, 1:] += counts * probability[:, None]
    return longer
