"""Numbers as the tables of a report show them; what does not exist is a dash."""

from __future__ import annotations

import math

from ensemble.results import Interval

NOTHING = "–"


def score(value: float) -> str:
    """Four decimals."""
    return NOTHING if math.isnan(value) else f"{value:.4f}"


def signed(value: float) -> str:
    """Four decimals and a sign, zero's too."""
    return NOTHING if math.isnan(value) else f"{round(value, 4) + 0.0:+.4f}".replace("-", "−")


def span(interval: Interval) -> str:
    """Both ends of a score's interval."""
    return f"{score(interval.low)} – {score(interval.high)}"


def signed_span(interval: Interval) -> str:
    """Both ends of a difference's interval."""
    return f"{signed(interval.low)} … {signed(interval.high)}"


def correlation(value: float) -> str:
    """Two decimals."""
    return NOTHING if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def share(value: float) -> str:
    """A percentage."""
    return NOTHING if math.isnan(value) else f"{value:.1%}"


def count(value: int | None) -> str:
    """A whole number, thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def amount(value: float | None) -> str:
    """Seconds, or images a second: whole numbers from 10 on."""
    return NOTHING if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
