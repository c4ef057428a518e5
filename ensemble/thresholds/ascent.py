"""Thresholds for metrics of whole rows, ``sample_f1`` and ``subset_accuracy``: one class at a time, until none gains.

With the other classes' decisions held, what a row gains by being selected in one class is a number; the best cut of
that class is where the running sum of these numbers, from its highest score down, is largest. That is exact for the
one class. A sweep over all classes never loses, and ends where no single class can gain: a local optimum, so several
starts are tried. That no other set of thresholds is better is *not* claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.metric import Metric
from ensemble.thresholds.decide import decide
from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE
from ensemble.thresholds.rules import ExactThresholds, FixedThreshold, ThresholdRule

_SWEEPS = 20


@dataclass(frozen=True)
class AscentThresholds:
    """One number per class, a local optimum in sample; the best that the starts lead to.

    Attributes:
        metric: ``sample_f1`` or ``subset_accuracy``.
        starts: Rules whose thresholds are climbed from.
    """

    metric: Metric
    starts: Sequence[ThresholdRule] = (FixedThreshold(), ExactThresholds())

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        scores = np.asarray(probabilities, dtype=np.float64)
        climb = _Climb(labels, scores, self.metric)
        reached = [climb.from_thresholds(start.fit(labels, scores, groups, rng)) for start in self.starts]
        best = max(range(len(reached)), key=lambda number: (reached[number][1], -number))
        thresholds = reached[best][0]
        positives = (labels == 1).any(axis=0)
        return np.where(positives, thresholds, NONE_POSITIVE)


class _Climb:
    def __init__(self, labels: NDArray[np.float64], scores: NDArray[np.float64], metric: Metric) -> None:
        self._labels, self._scores, self._metric = labels, scores, metric
        self._order = np.argsort(-scores, axis=0, kind="stable")

    def from_thresholds(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        found, decisions = thresholds.copy(), decide(self._scores, thresholds)
        score = self._metric.score(self._labels, decisions)
        for _ in range(_SWEEPS):
            for column in range(len(found)):
                found[column] = self._best_cut(column, decisions)
                decisions[:, column] = self._scores[:, column] >= found[column]
            new_score = self._metric.score(self._labels, decisions)
            if not new_score > score:
                break
            score = new_score
        return found, -1.0 if np.isnan(score) else max(score, self._metric.score(self._labels, decisions))

    def _best_cut(self, column: int, decisions: NDArray[np.bool_]) -> float:
        """The threshold of one class that is best for the other classes' present decisions; of equals the highest."""
        selected, left = decisions.copy(), decisions.copy()
        selected[:, column], left[:, column] = True, False
        value = self._metric.row_statistics(self._labels, selected)[:, 0]
        gains = value - self._metric.row_statistics(self._labels, left)[:, 0]
        order = self._order[:, column]
        ranked = self._scores[order, column]
        ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) + 1
        reached = np.concatenate([[0.0], np.cumsum(gains[order])[ends - 1]])
        best = int(np.argmax(reached))
        if best == 0:
            return NONE_POSITIVE
        count = int(ends[best - 1])
        if count == len(ranked):
            return ALL_POSITIVE
        lower, upper = float(ranked[count]), float(ranked[count - 1])
        midpoint = lower + (upper - lower) / 2
        return midpoint if midpoint > lower else upper
