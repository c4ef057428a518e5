"""Thresholds: the exact ones, other rules behind one small protocol, and ``decide``, which applies them.

::

    from ensemble.thresholds import decide, exact_thresholds

    thresholds = exact_thresholds(labels, probabilities)   # (C,), best on these rows
    decisions = decide(new_probabilities, thresholds)      # (N, C), bool

Best on other rows is another matter; ``auto`` is made for those::

    from ensemble.metric import Metric
    from ensemble.thresholds import threshold_rule

    rule = threshold_rule("auto", metric=Metric("macro_f1"))
    thresholds = rule.fit(labels, probabilities, groups, numpy.random.default_rng(0))

No torch, and no optuna until a search runs.
"""

from ensemble.thresholds.ascent import AscentThresholds
from ensemble.thresholds.average import AveragedThresholds, Part
from ensemble.thresholds.decide import decide
from ensemble.thresholds.decider import Decider, DecisionRule, LabelRules
from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE, exact_thresholds, global_threshold
from ensemble.thresholds.halves import HalvesThresholds
from ensemble.thresholds.micro import MicroThresholds
from ensemble.thresholds.objective import MacroF1OfThresholds, ScoreOfThresholds
from ensemble.thresholds.plugin import PlugInThresholds
from ensemble.thresholds.prior import PriorThresholds
from ensemble.thresholds.registry import THRESHOLD_RULES, decision_rule, rule_title, threshold_rule
from ensemble.thresholds.rules import (
    ExactThresholds,
    FixedThreshold,
    GlobalThreshold,
    OptunaThresholds,
    ThresholdRule,
)

__all__ = [
    "ALL_POSITIVE",
    "NONE_POSITIVE",
    "THRESHOLD_RULES",
    "AscentThresholds",
    "AveragedThresholds",
    "Decider",
    "DecisionRule",
    "ExactThresholds",
    "FixedThreshold",
    "GlobalThreshold",
    "HalvesThresholds",
    "LabelRules",
    "MacroF1OfThresholds",
    "MicroThresholds",
    "OptunaThresholds",
    "Part",
    "PlugInThresholds",
    "PriorThresholds",
    "ScoreOfThresholds",
    "ThresholdRule",
    "decide",
    "decision_rule",
    "exact_thresholds",
    "global_threshold",
    "rule_title",
    "threshold_rule",
]
