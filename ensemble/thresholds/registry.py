"""Rules by name."""

from __future__ import annotations

from collections.abc import Callable

from ensemble.errors import DataError
from ensemble.metric import Metric
from ensemble.thresholds.average import auto_thresholds
from ensemble.thresholds.halves import HalvesThresholds
from ensemble.thresholds.plugin import PlugInThresholds
from ensemble.thresholds.prior import PriorThresholds
from ensemble.thresholds.rules import ExactThresholds, FixedThreshold, GlobalThreshold, OptunaThresholds, ThresholdRule

_BY_CLASS: dict[str, tuple[str, Callable[[Metric], ThresholdRule]]] = {
    "fixed": ("fixed 0.5", lambda _: FixedThreshold()),
    "global": ("one for all classes", GlobalThreshold),
    "exact": ("exact, per class", lambda metric: ExactThresholds(metric.beta)),
    "halves": ("averaged halves", lambda metric: HalvesThresholds(beta=metric.beta)),
    "prior": ("prior-matching", lambda _: PriorThresholds()),
    "platt": ("plug-in, Platt", lambda metric: PlugInThresholds("platt", beta=metric.beta)),
    "beta": ("plug-in, beta calibration", lambda metric: PlugInThresholds("beta", beta=metric.beta)),
    "ranks": ("plug-in, beta and ranks", lambda metric: PlugInThresholds("ranks", beta=metric.beta)),
    "optuna": ("Optuna", lambda metric: OptunaThresholds(metric=metric)),
    "auto": ("auto: an average of rules", lambda metric: auto_thresholds(metric.beta)),
}

THRESHOLD_RULES = tuple(_BY_CLASS)
"""The rules' names."""


def threshold_rule(name: str, *, metric: Metric) -> ThresholdRule:
    """The rule of that name, made for that metric.

    Args:
        name: One of ``THRESHOLD_RULES``.
        metric: What is maximised.

    Raises:
        DataError: There is no such rule, or none for this metric.
    """
    _check(name)
    if name == "fixed" or metric.splits_by_class:
        return _BY_CLASS[name][1](metric)
    return _coupled(name, metric)


def rule_title(name: str) -> str:
    """For people: ``"averaged halves"``.

    Raises:
        DataError: There is no such rule.
    """
    _check(name)
    return _BY_CLASS[name][0]


def _check(name: str) -> None:
    if name not in _BY_CLASS:
        raise DataError(f"threshold rule: expected one of {', '.join(THRESHOLD_RULES)}, got {name!r}")


def _coupled(name: str, metric: Metric) -> ThresholdRule:
    """Metrics that couple classes have optimisers of their own; they are looked up here."""
    raise DataError(f"threshold rule {name!r} works class by class, {metric.title} does not: use 'fixed'")
