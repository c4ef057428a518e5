"""A per-class metric as a function of thresholds, fast enough to be asked thousands of times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.metric import Metric


class ScoreOfThresholds:
    """``metric.score(labels, decide(probabilities, thresholds))`` for fixed rows, at two binary searches a class."""

    def __init__(self, labels: NDArray[np.float64], probabilities: NDArray[Any], metric: Metric) -> None:
        """Sort once.

        Args:
            labels: Shape (N, C), 0, 1 or NaN = not labelled.
            probabilities: Shape (N, C), in [0, 1].
            metric: Any metric that is made of each class's counts: all but ``sample_f1`` and ``subset_accuracy``.
        """
        scores = np.asarray(probabilities, dtype=np.float64)
        columns = range(labels.shape[1])
        self._metric = metric
        self._positives = [np.sort(scores[labels[:, column] == 1, column]) for column in columns]
        self._negatives = [np.sort(scores[labels[:, column] == 0, column]) for column in columns]
        self._n_positives = np.array([len(part) for part in self._positives], dtype=np.float64)
        self._n_negatives = np.array([len(part) for part in self._negatives], dtype=np.float64)

    def __call__(self, thresholds: NDArray[np.float64]) -> float:
        """The score of the decisions at ``thresholds``, shape (C,); 0 if no class is labelled."""
        hits = self._n_positives - _below(self._positives, thresholds)
        false_alarms = self._n_negatives - _below(self._negatives, thresholds)
        labelled = self._n_positives + self._n_negatives
        totals = np.concatenate([hits, false_alarms, self._n_positives - hits, labelled])
        score = float(self._metric.from_totals(totals[None, :])[0])
        return 0.0 if np.isnan(score) else score


class RowScoreOfThresholds:
    """``metric.score(labels, decide(probabilities, thresholds))`` for metrics of whole rows: a pass over all rows."""

    def __init__(self, labels: NDArray[np.float64], probabilities: NDArray[Any], metric: Metric) -> None:
        """Keep. Arguments as for ``ScoreOfThresholds``, of ``sample_f1`` or ``subset_accuracy``."""
        self._labels, self._scores, self._metric = labels, np.asarray(probabilities, dtype=np.float64), metric

    def __call__(self, thresholds: NDArray[np.float64]) -> float:
        """The score of the decisions at ``thresholds``, shape (C,); 0 if no row is labelled."""
        score = self._metric.score(self._labels, self._scores >= thresholds)
        return 0.0 if np.isnan(score) else score


class MacroF1OfThresholds(ScoreOfThresholds):
    """``macro_f1(labels, decide(probabilities, thresholds))`` for fixed rows, at two binary searches a class."""

    def __init__(self, labels: NDArray[np.float64], probabilities: NDArray[Any]) -> None:
        """Sort once. Arguments as for ``ScoreOfThresholds``."""
        super().__init__(labels, probabilities, Metric("macro_f1"))


def _below(ascending: list[NDArray[np.float64]], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many of each class's scores lie below its threshold, shape (C,)."""
    return np.array([np.searchsorted(part, limit) for part, limit in zip(ascending, thresholds, strict=True)], float)
