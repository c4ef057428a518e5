"""Chains by name, for the benchmarks beside this file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble import blending, thresholds
from ensemble.blending.rules import CombinationRule
from ensemble.blending.stack import MemberStack
from ensemble.evaluation.chain import Chain
from ensemble.metric import Metric
from ensemble.thresholds import ExactThresholds, ThresholdRule


def named_chain(combine: str, threshold_rule: str, metric: Metric) -> Chain:
    """One way to combine members and one rule for thresholds, by the names that ``blend`` takes."""
    return Chain(_combination(combine, metric), _thresholds(threshold_rule, metric))


def _combination(name: str, metric: Metric) -> CombinationRule:
    registry = getattr(blending, "combination_rule", None)
    if registry is not None:
        return registry(name, metric=metric)
    if name != "mean":
        raise SystemExit(f"this version combines members by their mean alone, not by {name!r}")
    return _Mean()


def _thresholds(name: str, metric: Metric) -> ThresholdRule:
    registry = getattr(thresholds, "threshold_rule", None)
    if registry is not None:
        return registry(name, metric=metric)
    if name != "exact":
        raise SystemExit(f"this version has exact thresholds alone, not {name!r}")
    return ExactThresholds()


@dataclass(frozen=True)
class _Mean:
    """The mean of members' probabilities, as float32 logits."""

    name: str = "mean"

    def fit(self, stack: MemberStack, labels: object, groups: object, rng: object) -> _FittedMean:  # noqa: ARG002
        return _FittedMean(np.full(len(stack.names), 1 / len(stack.names)))


@dataclass(frozen=True, eq=False)
class _FittedMean:
    weights: NDArray[np.float64]
    name: str = "mean"
    class_weights: None = None

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        logits = stack.logits.astype(np.float64)
        positive = np.logaddexp.reduce(-np.logaddexp(0.0, -logits), axis=0)
        negative = np.logaddexp.reduce(-np.logaddexp(0.0, logits), axis=0)
        return (positive - negative).astype(np.float32)
