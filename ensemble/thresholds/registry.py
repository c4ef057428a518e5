"""Rules by name."""

from __future__ import annotations

from collections.abc import Callable

from ensemble.errors import DataError
from ensemble.metric import Metric
from ensemble.thresholds.ascent import AscentThresholds
from ensemble.thresholds.average import AveragedCuts, auto_thresholds
from ensemble.thresholds.decider import NO_LABEL_RULES, ByExpectedF1, ByThresholds, DecisionRule, LabelRules
from ensemble.thresholds.halves import HalvesThresholds
from ensemble.thresholds.micro import MicroPlugIn, MicroThresholds
from ensemble.thresholds.plugin import EvenChance, PlugInThresholds
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


def decision_rule(name: str, *, metric: Metric, label_rules: LabelRules = NO_LABEL_RULES) -> DecisionRule:
    """The rule of that name, with rules on the labels of an image applied after it.

    ``auto`` for ``sample_f1`` decides image by image; everything else is thresholds.

    Args:
        name: One of ``THRESHOLD_RULES``.
        metric: What is maximised.
        label_rules: What is known about which labels come together.

    Raises:
        DataError: There is no such rule, or none for this metric.
    """
    _check(name)
    if name == "auto" and metric.name == "sample_f1":
        return ByExpectedF1(label_rules=label_rules)
    return ByThresholds(threshold_rule(name, metric=metric), label_rules)


_COUPLED: dict[str, dict[str, Callable[[Metric], ThresholdRule]]] = {
    "micro_f1": {
        "exact": lambda _: MicroThresholds(),
        "platt": lambda _: MicroPlugIn("platt"),
        "beta": lambda _: MicroPlugIn("beta"),
        "auto": lambda _: AveragedCuts((MicroThresholds(), MicroPlugIn("beta"))),
    },
    "sample_f1": {"exact": AscentThresholds, "auto": AscentThresholds},
    "subset_accuracy": {
        "exact": AscentThresholds,
        "platt": lambda _: EvenChance("platt"),
        "beta": lambda _: EvenChance("beta"),
        "auto": lambda metric: AveragedCuts((AscentThresholds(metric), EvenChance("beta"))),
    },
}


def _coupled(name: str, metric: Metric) -> ThresholdRule:
    """Metrics that couple classes have optimisers of their own.

    ``exact`` is exact for micro-F1. For metrics of whole rows it is the best that climbing class by class reaches.
    """
    if name == "optuna":
        return OptunaThresholds(metric=metric, start=_coupled("exact", metric))
    known = _COUPLED[metric.name]
    if name not in known:
        raise DataError(
            f"threshold rule {name!r} works class by class, {metric.title} does not: "
            f"expected one of {', '.join(['fixed', *known, 'optuna'])}"
        )
    return known[name](metric)
