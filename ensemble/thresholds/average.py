r"""Several rules, averaged: what ``auto`` is where the metric splits by class.

Each rule says how many of the fitting rows it would select, and the weighted mean of these numbers is selected. A rule
keeps its weight as long as the fitting rows do not speak clearly against it:

.. math:: w_j \propto v_j \exp(-z_j^2 / 2), \quad z_j = (\max_i F_i - F_j) \sqrt n / \tau

with F the in-sample F-beta, n the positives (groups with a positive where there are groups) and a tolerance
:math:`\tau`: the noise of such a difference falls with the root of n. With few positives all rules count, with
thousands only those that do well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import CountRule, RankedClass, choose_thresholds, rank_classes
from ensemble.thresholds.exact import NONE_POSITIVE
from ensemble.thresholds.halves import HalvesThresholds
from ensemble.thresholds.plugin import PlugInThresholds
from ensemble.thresholds.rules import ThresholdRule


@dataclass(frozen=True)
class Part:
    """One rule of an average.

    Attributes:
        rule: The rule.
        weight: Its weight.
        per_positives: The weight is for so many positives (groups with a positive where there are groups) and grows
            with their number; None: it is the same for every class.
        limit: What the weight does not grow beyond.
    """

    rule: CountRule
    weight: float = 1.0
    per_positives: float | None = None
    limit: float = float("inf")

    def weights(self, positives: NDArray[np.float64]) -> NDArray[np.float64]:
        """For classes with so many positives (groups with one), shape (C,)."""
        grown = np.ones_like(positives) if self.per_positives is None else positives / self.per_positives
        return np.minimum(self.limit, self.weight * grown)


@dataclass(frozen=True)
class AveragedThresholds:
    """Per class: the mean of how many of the fitting rows several rules select.

    A class without a labelled positive gets 2.0, none; one without a labelled negative 0.0, all.

    Attributes:
        parts: The rules and their weights.
        mean: Of the numbers of rows: the geometric one is spoilt less by a rule that selects far too many.
        tolerance: How much worse a rule may do on the fitting rows than the best of them, in units of F times the root
            of the number of positives, before it loses weight; None: any amount.
        beta: Of F-beta, for that comparison.
        more: Rows that are added to the mean. A false alarm costs less than a missed positive (F against 2 - F, in
            units of 1 / (selected + positives)), so where the best cut is not known well it pays to select a bit more.
    """

    parts: tuple[Part, ...]
    mean: Literal["geometric", "arithmetic"] = "geometric"
    tolerance: float | None = None
    beta: float = 1.0
    more: float = 0.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        return choose_thresholds(self, labels, probabilities, groups, rng, cut=RankedClass.threshold_between)

    def counts(self, ranked: Sequence[RankedClass], rng: np.random.Generator) -> NDArray[np.float64]:
        """See ``CountRule``."""
        said = np.stack([np.maximum(1.0, part.rule.counts(ranked, rng)) for part in self.parts])
        positives = np.array([one.n_positive_units for one in ranked], dtype=np.float64)
        weights = np.stack([part.weights(positives) for part in self.parts])
        if self.tolerance is not None:
            reached = np.array([one.f_selecting(column, self.beta) for one, column in zip(ranked, said.T, strict=True)])
            behind = (reached.max(axis=1, keepdims=True) - reached).T * np.sqrt(positives) / self.tolerance
            weights *= np.exp(-(behind**2) / 2)
        if self.mean == "arithmetic":
            return np.asarray(self.more + np.average(said, axis=0, weights=weights))
        return np.asarray(self.more + np.exp(np.average(np.log(said), axis=0, weights=weights)))


@dataclass(frozen=True)
class AveragedCuts:
    """Per class: the mean of how many of the fitting rows several finished rules select; below half a row none.

    Unlike ``AveragedThresholds`` it takes any rules, those too that see all classes at once.

    Attributes:
        rules: The rules, which count alike.
    """

    rules: tuple[ThresholdRule, ...]

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        said = [rule.fit(labels, probabilities, groups, rng).tolist() for rule in self.rules]
        thresholds = []
        for one, limits in zip(rank_classes(labels, probabilities, groups), zip(*said, strict=True), strict=True):
            count = float(np.mean([one.selected(limit) for limit in limits]))
            thresholds.append(one.threshold_selecting(count) if count >= 0.5 else NONE_POSITIVE)
        return np.array(thresholds, dtype=np.float64)


def auto_thresholds(beta: float = 1.0) -> AveragedThresholds:
    """What ``auto`` is where the metric splits by class; ``docs/thresholds.md`` says why."""
    parts = (
        Part(HalvesThresholds(beta=beta), per_positives=50.0, limit=1.0),
        Part(PlugInThresholds("platt", beta=beta)),
        Part(PlugInThresholds("beta", beta=beta)),
        Part(PlugInThresholds("ranks", beta=beta)),
    )
    return AveragedThresholds(parts, tolerance=0.3, beta=beta, more=0.5)
