"""Several rules, averaged: what ``auto`` is where the metric splits by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import rank_classes
from ensemble.thresholds.halves import HalvesThresholds
from ensemble.thresholds.plugin import PlugInThresholds
from ensemble.thresholds.prior import PriorThresholds
from ensemble.thresholds.rules import ThresholdRule


@dataclass(frozen=True)
class Part:
    """One rule of an average.

    Attributes:
        rule: The rule.
        weight: Its weight.
        per_positives: The weight is for so many positives (groups with a positive where there are groups) and grows
            with their number; None: it is the same for every class.
    """

    rule: ThresholdRule
    weight: float = 1.0
    per_positives: float | None = None


@dataclass(frozen=True)
class AveragedThresholds:
    """Per class: the mean of what several rules say, as shares of the fitting rows that they select.

    A class without a labelled positive gets 2.0, none; one without a labelled negative 0.0, all.

    Attributes:
        parts: The rules and their weights.
    """

    parts: tuple[Part, ...]

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities)
        said = np.stack([part.rule.fit(labels, probabilities, groups, rng) for part in self.parts])
        weights = self._weights(positive_units(labels, groups))
        thresholds = np.empty(len(ranked))
        for column, one in enumerate(ranked):
            if one.forced is not None:
                thresholds[column] = one.forced
                continue
            counts = [max(1, one.selected(threshold)) for threshold in said[:, column].tolist()]
            thresholds[column] = one.threshold_selecting(float(np.average(counts, weights=weights[:, column])))
        return thresholds

    def _weights(self, positives: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (parts, C)."""
        return np.stack(
            [
                part.weight
                * (np.ones_like(positives) if part.per_positives is None else positives / part.per_positives)
                for part in self.parts
            ]
        )


def positive_units(labels: NDArray[np.float64], groups: NDArray[np.str_] | None) -> NDArray[np.float64]:
    """How many groups (rows where there are none) have a positive, for each class; shape (C,), float64."""
    if groups is None:
        return np.asarray((labels == 1).sum(axis=0), dtype=np.float64)
    codes = np.unique(groups, return_inverse=True)[1].ravel()
    n_groups = int(codes.max(initial=-1)) + 1
    return np.array(
        [(np.bincount(codes[column == 1], minlength=n_groups) > 0).sum() for column in labels.T], dtype=np.float64
    )


def auto_thresholds(beta: float = 1.0) -> AveragedThresholds:
    """What ``auto`` is where the metric splits by class."""
    return AveragedThresholds(
        (
            Part(HalvesThresholds(beta=beta), per_positives=25.0),
            Part(PlugInThresholds("platt", beta=beta)),
            Part(PlugInThresholds("beta", beta=beta)),
            Part(PriorThresholds()),
        )
    )
