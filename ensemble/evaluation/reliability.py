"""Do probabilities mean what they say? Bins of equally many rows, and how sure each bin's share of positives is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.curves import Reliability
from ensemble.evaluation.wilson import wilson_limits
from ensemble.thresholds.cuts import RankedClass

_BINS = 10
_QUANTILE = 1.959963984540054


def reliability(ranked: RankedClass, n_bins: int = _BINS) -> Reliability:
    """Rows of one class in bins by quantiles of their probabilities; equal ones share a bin, so there may be fewer.

    Args:
        ranked: The labelled rows, at least one.
        n_bins: At most so many bins.
    """
    n = len(ranked.scores)
    edges = np.unique(ranked.scores[[n * part // n_bins for part in range(n_bins)]])
    starts = np.searchsorted(ranked.scores, edges)
    parts = [slice(*ends) for ends in zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True)]
    counts = np.array([part.stop - part.start for part in parts], dtype=np.int64)
    predicted = np.array([ranked.scores[part].mean() for part in parts])
    observed = np.array([ranked.positive[part].mean() for part in parts])
    effects = np.array([_design_effect(ranked.positive[part], ranked.units[part]) for part in parts])
    low, high = wilson_limits(observed, counts / effects, _QUANTILE)
    return Reliability(predicted, observed, low, high, counts)


def _design_effect(positive: NDArray[np.bool_], units: NDArray[Any]) -> float:
    """How many times the share's variance is that of independent rows; >= 1.

    Where nothing varies the worst is assumed, that a unit's rows all come out alike.
    """
    owners, inverse = np.unique(units, return_inverse=True)
    n, n_units = len(units), len(owners)
    if n_units == n:
        return 1.0
    sizes = np.bincount(inverse)
    share = positive.mean()
    binomial = share * (1 - share) / n
    if binomial == 0 or n_units < 2:
        return float(np.square(sizes).sum() / n)
    rest = np.bincount(inverse, weights=positive) - share * sizes
    variance = n_units / (n_units - 1) * np.square(rest).sum() / n**2
    return max(1.0, float(variance / binomial))
