"""Numbers as the tables of a report show them; what does not exist is a dash."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ensemble.results import ClassResult, Interval

NOTHING = "–"
_BLOCKS = "▁▂▃▄▅▆▇█"


def score(value: float | None) -> str:
    """Four decimals."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.4f}"


def signed(value: float, digits: int = 4) -> str:
    """Four decimals and a sign, zero's too."""
    return NOTHING if math.isnan(value) else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def span(interval: Interval) -> str:
    """Both ends of a score's interval."""
    return f"{score(interval.low)} – {score(interval.high)}"


def signed_span(interval: Interval) -> str:
    """Both ends of a difference's interval."""
    return f"{signed(interval.low)} … {signed(interval.high)}"


def correlation(value: float) -> str:
    """Two decimals."""
    return NOTHING if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def share(value: float | None, digits: int = 1) -> str:
    """A percentage."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.{digits}%}"


def short_span(ends: tuple[float, float]) -> str:
    """Both ends of an interval to two decimals: more would say more than is known."""
    return NOTHING if math.isnan(ends[0]) else f"{ends[0]:.2f} – {ends[1]:.2f}"


def threshold(value: float) -> str:
    """Four decimals, small ones in powers of ten; words where no score or every score reaches it."""
    if value > 1:
        return "none"
    if value == 0:
        return "all"
    return f"{value:.4f}" if value >= 0.001 else f"{value:.1e}"


def over_folds(row: ClassResult) -> str:
    """From the lowest to the highest threshold of the folds."""
    low, high = threshold(min(row.fold_thresholds)), threshold(max(row.fold_thresholds))
    return low if low == high else f"{low} – {high}"


def count(value: int | None) -> str:
    """A whole number, thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def amount(value: float | None) -> str:
    """Seconds, or images a second: whole numbers from 10 on."""
    return NOTHING if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def blocks(values: NDArray[np.float64], width: int) -> str:
    """A small curve in one line of text, its highest point a full block.

    Args:
        values: Shape (P,), >= 0, P at least 1.
        width: How many characters; each shows the mean of its part of the values.
    """
    means = [float(part.mean()) for part in np.array_split(values, width) if len(part)]
    top = max(means)
    return "".join(_BLOCKS[round(mean / top * (len(_BLOCKS) - 1)) if top > 0 else 0] for mean in means)
