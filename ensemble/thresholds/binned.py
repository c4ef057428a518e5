r"""Which rows of one class can matter for its best cut: found by counting, without sorting the rest.

Rows are counted in bins of like scores. For each bin two numbers follow from the counts: what F the cut below the bin
has, and what F no cut inside it can exceed, as if the bin held all its positives first and then its negatives. A bin
whose bound stays below the best of the former cannot hold the best cut, and its rows need no order.

.. math:: \max_{\text{cuts in bin}} F_\beta
    \le \frac{(1 + \beta^2) TP_{\ge}}{\text{selected}_{\ge} - \text{negatives in the bin} + \beta^2 \text{positives}}

where :math:`\ge` counts the bin and all above it. What is left is counted in finer bins, while that helps, then sorted.

The bins are of equal width in the *bits* of the scores: of floats >= 0 these, read as an integer, rise with the number.
So bins are narrow where floats are, also near 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SORTED = 32_768
"""Up to so many rows sorting all of them is faster than counting them first."""

_BIN_BITS = 12
_COUNTED_AT_ONCE = 1 << 17
_ROUNDING = 1.0 + 1e-12
"""A bound is computed with rounding: without this a bin that ties with the best could be lost."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """P cuts, each at the score of a positive; one of them is the best of all.

    Equal cuts stand side by side; only the first of them selects what it says, the others claim less.

    Attributes:
        cuts: Shape (P,), ascending: scores of positives.
        hits: Shape (P,), int64: how many positives each cut selects.
        selected: Shape (P,), int64: how many rows each cut selects.
    """

    cuts: NDArray[Any]
    hits: NDArray[np.int64]
    selected: NDArray[np.int64]


def f_beta(hits: NDArray[np.int64], selected: NDArray[np.int64], n_positives: int, beta: float) -> NDArray[np.float64]:
    """F-beta of decisions that select ``selected`` rows, ``hits`` of them positive; ``n_positives`` > 0.

    With beta = 1 these are ratios of integers below 2**53, equal as float64 iff they are equal: ties are ties.
    """
    return (1.0 + beta**2) * hits / (selected + beta**2 * n_positives)


def find_rivals(scores: NDArray[Any], positive: NDArray[np.bool_], beta: float) -> Rivals:
    """The cuts that can be the best.

    Args:
        scores: Shape (n,), float32 or float64, in [0, 1] without -0.0, contiguous; in any order.
        positive: Shape (n,), with at least one positive.
        beta: Of F-beta.
    """
    rows = _Rows(scores, positive, 0, 0)
    n_positives = int(np.count_nonzero(positive))
    while len(rows.scores) > MOST_SORTED:
        fewer = _narrowed(rows, n_positives, beta)
        if fewer is None:
            break
        rows = fewer
    return _rivals_among(rows)


@dataclass(frozen=True, eq=False)
class _Rows:
    """All rows whose score lies in some interval, which holds every cut that can be the best.

    Attributes:
        scores: Shape (n,).
        positive: Shape (n,).
        rows_above: How many rows lie above the interval.
        hits_above: How many of them are positive.
    """

    scores: NDArray[Any]
    positive: NDArray[np.bool_]
    rows_above: int
    hits_above: int


def _narrowed(rows: _Rows, n_positives: int, beta: float) -> _Rows | None:
    """At most half of the rows; None where that cannot be had."""
    bits: NDArray[np.signedinteger] = rows.scores.view(np.int32 if rows.scores.itemsize == 4 else np.int64)
    low = int(bits.min())
    shift = max(0, (int(bits.max()) - low).bit_length() - _BIN_BITS)
    rows_in, hits_in = _count(bits, rows.positive, low, shift)
    selected, hits = _from_top(rows_in) + rows.rows_above, _from_top(hits_in) + rows.hits_above
    reached = f_beta(hits, selected, n_positives, beta).max()
    bound = f_beta(hits, selected - (rows_in - hits_in), n_positives, beta)
    first, last = np.flatnonzero((hits_in > 0) & (bound * _ROUNDING >= reached))[[0, -1]].tolist()
    if 2 * rows_in[first : last + 1].sum() > len(bits):
        return None
    inside = np.flatnonzero((bits >= low + (first << shift)) & (bits < low + ((last + 1) << shift)))
    above = int(selected[last] - rows_in[last]), int(hits[last] - hits_in[last])
    return _Rows(rows.scores[inside], rows.positive[inside], *above)


def _count(
    bits: NDArray[np.signedinteger], positive: NDArray[np.bool_], low: int, shift: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and positives in each bin: bits from ``low``, 2**shift to a bin."""
    n_bins = (int(bits.max()) - low >> shift) + 1
    counts = np.zeros(2 * n_bins, dtype=np.int64)
    for start in range(0, len(bits), _COUNTED_AT_ONCE):
        part = slice(start, start + _COUNTED_AT_ONCE)
        keys = bits[part] - low
        keys >>= shift
        keys <<= 1
        keys |= positive[part]
        counts += np.bincount(keys, minlength=2 * n_bins)
    return counts[::2] + counts[1::2], counts[1::2]


def _rivals_among(rows: _Rows) -> Rivals:
    """Rank the rows that are left."""
    ranked, cuts = np.sort(rows.scores), np.sort(rows.scores[rows.positive])
    hits = np.arange(len(cuts), 0, -1) + rows.hits_above
    return Rivals(cuts, hits, len(ranked) - np.searchsorted(ranked, cuts) + rows.rows_above)


def _from_top(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each bin: the count in it and in all above."""
    return np.asarray(counts[::-1].cumsum()[::-1])
