"""Combination rules by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ensemble.blending.convex import ClassWeights, Convex
from ensemble.blending.greedy import Greedy
from ensemble.blending.mean import Mean, MeanLogits
from ensemble.blending.ranks import MeanRanks
from ensemble.blending.rules import CombinationRule
from ensemble.blending.weight_search import OptunaWeights
from ensemble.errors import DataError
from ensemble.metric import Metric

COMBINATIONS: Mapping[str, str] = MappingProxyType(
    {
        "mean": "mean of probabilities",
        "mean_logits": "mean of logits",
        "mean_ranks": "mean of ranks",
        "convex": "convex weights by log loss",
        "greedy": "greedy selection, bagged and shrunk",
        "optuna": "Optuna over weights, shrunk",
        "class_weights": "convex weights of each class, shrunk",
    }
)
"""The combination rules, name to title."""


def combination_rule(name: str, *, metric: Metric, trials: int = 100, journal: Path | None = None) -> CombinationRule:
    """A rule by its name.

    Args:
        name: One of ``COMBINATIONS``.
        metric: What ``greedy`` and ``optuna`` maximise; the others do not look at it.
        trials: Of ``optuna``.
        journal: Where ``optuna`` keeps its study; None: nowhere.

    Raises:
        DataError: There is no such rule.
    """
    rules: dict[str, CombinationRule] = {
        rule.name: rule
        for rule in (
            Mean(),
            MeanLogits(),
            MeanRanks(),
            Convex(),
            Greedy(metric),
            OptunaWeights(metric, trials, journal=journal),
            ClassWeights(),
        )
    }
    if name not in rules:
        raise DataError(f"combination: expected one of {', '.join(COMBINATIONS)}, got {name!r}")
    return rules[name]
