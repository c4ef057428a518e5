"""Thresholds: the exact ones, other rules behind one small protocol, and ``decide``, which applies them.

::

    from ensemble.thresholds import decide, exact_thresholds

    thresholds = exact_thresholds(labels, probabilities)   # (C,)
    decisions = decide(new_probabilities, thresholds)      # (N, C), bool

No torch, and no optuna until a search runs.
"""

from ensemble.thresholds.decide import decide
from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE, exact_thresholds, global_threshold
from ensemble.thresholds.objective import MacroF1OfThresholds
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
    "ExactThresholds",
    "FixedThreshold",
    "GlobalThreshold",
    "MacroF1OfThresholds",
    "OptunaThresholds",
    "ThresholdRule",
    "decide",
    "exact_thresholds",
    "global_threshold",
]
