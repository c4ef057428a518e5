"""Large tables, class by class: columns copied out in blocks, checked while they are at hand, solved on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import ArrayError, checked_labels, checked_probabilities

Solve = Callable[[NDArray[Any], NDArray[np.bool_]], float]
"""From the scores of a class's labelled rows and which of them are positive, shape (n,) each, to one number."""

COLUMNS_AT_ONCE = 8
"""So many columns are copied out together: rows of a table are read in whole cache lines, memory stays bounded."""
MOST_THREADS = 8
"""Each holds such a copy."""
WORTH_THREADS = 1 << 20
"""Labels, from which on threads pay."""
_ROWS_AT_ONCE = 1024


def solve_columns(labels: NDArray[Any], scores: NDArray[Any], solve: Solve) -> NDArray[np.float64]:
    """Solve each class on its own; the result does not depend on how many threads there are.

    Args:
        labels: Shape (N, C), any type of number: 0, 1 or NaN = not labelled.
        scores: Shape (N, C), float32 or float64, in [0, 1].
        solve: Gets contiguous scores, without -0.0.

    Returns:
        Shape (C,).

    Raises:
        ArrayError: Values are not so.
    """
    starts = range(0, labels.shape[1], COLUMNS_AT_ONCE)

    def solve_some(start: int) -> list[float]:
        part = slice(start, start + COLUMNS_AT_ONCE)
        pairs = zip(_contiguous(labels, part), _contiguous(scores, part), strict=True)
        return [solve(*_labelled(label, score)) for label, score in pairs]

    threads = min(len(starts), usable_cores(), MOST_THREADS) if labels.size >= WORTH_THREADS else 1
    try:
        found = _map(solve_some, starts, threads)
    except ArrayError:
        checked_labels(labels)  # these say which values are wrong, and where
        checked_probabilities(scores)
        raise
    return np.array([value for some in found for value in some], dtype=np.float64)


def _map(solve: Callable[[int], list[float]], starts: range, threads: int) -> list[list[float]]:
    if threads <= 1:
        return [solve(start) for start in starts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(solve, starts))


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _contiguous(array: NDArray[Any], part: slice) -> NDArray[Any]:
    """Some columns, as rows that are contiguous: shape (columns, N)."""
    columns = array[:, part].T
    if columns.strides[1] == columns.itemsize:
        return columns
    copied = np.empty(columns.shape, dtype=columns.dtype)
    for start in range(0, columns.shape[1], _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        copied[:, block] = columns[:, block]
    return copied


def _labelled(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The scores of labelled rows, and which of them are positive; shape (N,) all, contiguous."""
    scores, positive = _without_signs(scores), np.asarray(labels == 1)
    n_other = len(labels) - np.count_nonzero(positive) - np.count_nonzero(labels == 0)
    if not n_other:
        return scores, positive
    unlabelled = np.isnan(labels)
    if np.count_nonzero(unlabelled) != n_other:
        raise ArrayError("labels: expected 0, 1 or NaN (not labelled)")
    labelled = np.flatnonzero(~unlabelled)  # by index: many scattered rows take longer by mask
    return scores[labelled], positive[labelled]


def _without_signs(scores: NDArray[Any]) -> NDArray[Any]:
    """The scores, checked; -0.0 becomes 0.0.

    One pass: the bits of floats from 0.0 to 1.0, and of these alone, are at most those of 1.0.
    """
    bits = scores.view(np.uint32 if scores.dtype == np.float32 else np.uint64)
    if bits.max(initial=0) <= np.ones(1, scores.dtype).view(bits.dtype)[0]:
        return scores
    if not (scores.min() >= 0 and scores.max() <= 1):
        raise ArrayError("probabilities: expected numbers from 0 to 1")
    return np.asarray(np.abs(scores))
