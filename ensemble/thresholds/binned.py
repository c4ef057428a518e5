r"""Which rows of one class can matter for its best cut: found by counting, without sorting the rest.

Rows are counted in bins of like scores, the leading bits of the float. For each bin two numbers follow from the counts:
what F the cut below the bin has, and what F no cut inside it can exceed, as if the bin held all its positives first and
then its negatives. A bin whose bound stays below the best of the former cannot hold the best cut, and its rows need no
order.

.. math:: \max_{\text{cuts in bin}} F_\beta
    \le \frac{(1 + \beta^2) TP_{\ge}}{\text{selected}_{\ge} - \text{negatives in the bin} + \beta^2 \text{positives}}

where :math:`\ge` counts the bin and all above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SORTED_WHOLE = 40_000
"""Up to so many rows sorting all of them is faster than counting."""

_DROPPED_BITS = 14
"""Of a float32's 32; what is left tells 512 scores apart between any number and its double."""
_N_BINS = (int(np.float32(1.0).view(np.uint32)) >> _DROPPED_BITS) + 1
_ROUNDING = 1.0 + 1e-12
"""A bound is computed with rounding: without this a bin that ties with the best could be lost."""


@dataclass(frozen=True, eq=False)
class Contest:
    """What is needed to judge P cuts, each at the score of a positive; one of them is the best of all.

    Equal cuts stand side by side; only the first of them selects what it says, the others claim less.

    Attributes:
        cuts: Shape (P,), ascending: scores of positives.
        hits: Shape (P,), int64: how many positives each cut selects.
        selected: Shape (P,), int64: how many rows each cut selects.
        next_lower: Shape (P,), the next lower score of a row; -1 where there is none.
    """

    cuts: NDArray[Any]
    hits: NDArray[np.int64]
    selected: NDArray[np.int64]
    next_lower: NDArray[Any]


def f_beta(hits: NDArray[np.int64], selected: NDArray[np.int64], n_positives: int, beta: float) -> NDArray[np.float64]:
    """F-beta of decisions that select ``selected`` rows, ``hits`` of them positive; ``n_positives`` > 0.

    With beta = 1 these are ratios of integers below 2**53, equal as float64 iff they are equal: ties are ties.
    """
    return (1.0 + beta**2) * hits / (selected + beta**2 * n_positives)


def contest(scores: NDArray[Any], positive: NDArray[np.bool_], beta: float) -> Contest:
    """The cuts that can be the best.

    Args:
        scores: Shape (n,), float32 or float64, in [0, 1] without -0.0, contiguous; in any order.
        positive: Shape (n,), with at least one positive.
        beta: Of F-beta.
    """
    hits = scores[positive]
    if len(scores) <= SORTED_WHOLE:
        return _judge(scores, hits, 0, 0)
    bins, hit_bins = _bin_of(scores), _bin_of(hits)
    rows_in, hits_in = np.bincount(bins, minlength=_N_BINS), np.bincount(hit_bins, minlength=_N_BINS)
    open_bins = _open_bins(rows_in, hits_in, beta)
    needed = open_bins | _next_below(open_bins, rows_in)
    cuts = np.sort(hits[open_bins[hit_bins]])
    own = _bin_of(cuts)
    return _judge(
        scores[needed[bins]], cuts, _from_top(rows_in * ~needed)[own], _from_top(hits_in * ~open_bins)[own]
    )


def _judge(
    rows: NDArray[Any],
    cuts: NDArray[Any],
    more_rows: NDArray[np.int64] | int,
    more_hits: NDArray[np.int64] | int,
) -> Contest:
    """A contest of ``cuts`` over ``rows``, in any order; so many more rows and positives lie above each sorted cut."""
    rows, cuts = np.sort(rows), np.sort(cuts)
    place = np.searchsorted(rows, cuts)
    next_lower = np.where(place > 0, rows[place - 1], -1.0)
    return Contest(cuts, np.arange(len(cuts), 0, -1) + more_hits, len(rows) - place + more_rows, next_lower)


def _open_bins(rows_in: NDArray[np.int64], hits_in: NDArray[np.int64], beta: float) -> NDArray[np.bool_]:
    """The bins that can hold the best cut."""
    n_positives = int(hits_in.sum())
    hits, selected = _from_top(hits_in), _from_top(rows_in)
    reached = f_beta(hits, selected, n_positives, beta).max()
    bound = f_beta(hits, selected - (rows_in - hits_in), n_positives, beta)
    return (hits_in > 0) & (bound * _ROUNDING >= reached)


def _next_below(bins: NDArray[np.bool_], rows_in: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each of the ``bins`` the next lower one with a row in it."""
    occupied = np.flatnonzero(rows_in)
    below = np.zeros_like(bins)
    below[occupied[:-1]] = bins[occupied[1:]]
    return below


def _from_top(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each bin: the count in it and in all above."""
    return np.asarray(counts[::-1].cumsum()[::-1])


def _bin_of(scores: NDArray[Any]) -> NDArray[np.intp]:
    """The number of each score's bin, in [0, _N_BINS): never falling with the score, as float32 and its bits do not."""
    with np.errstate(under="ignore"):
        bits = scores.astype(np.float32, copy=False).view(np.uint32)
    return (bits >> _DROPPED_BITS).astype(np.intp)
