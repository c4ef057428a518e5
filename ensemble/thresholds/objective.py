"""Macro-F1 as a function of thresholds, fast enough to be asked thousands of times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.metrics import mean_of_defined


class MacroF1OfThresholds:
    """``macro_f1(labels, decide(probabilities, thresholds))`` for fixed rows, at two binary searches a class."""

    def __init__(self, labels: NDArray[np.float64], probabilities: NDArray[Any]) -> None:
        """Sort once.

        Args:
            labels: Shape (N, C), 0, 1 or NaN = not labelled.
            probabilities: Shape (N, C), in [0, 1].
        """
        scores = np.asarray(probabilities, dtype=np.float64)
        columns = range(labels.shape[1])
        self._positives = [np.sort(scores[labels[:, column] == 1, column]) for column in columns]
        self._negatives = [np.sort(scores[labels[:, column] == 0, column]) for column in columns]

    def __call__(self, thresholds: NDArray[np.float64]) -> float:
        """Macro-F1 of the decisions at ``thresholds``, shape (C,); 0 if no class is labelled."""
        pairs = zip(self._positives, self._negatives, thresholds, strict=True)
        score = mean_of_defined(np.array([_f1(*pair) for pair in pairs]))
        return 0.0 if np.isnan(score) else score


def _f1(positives: NDArray[np.float64], negatives: NDArray[np.float64], threshold: float) -> float:
    """F1 of one class from its ascending scores; 0/0 = 0, NaN without a labelled row."""
    if not len(positives) and not len(negatives):
        return float("nan")
    hits = len(positives) - int(np.searchsorted(positives, threshold))
    selected = hits + len(negatives) - int(np.searchsorted(negatives, threshold))
    return 2.0 * hits / max(1, selected + len(positives))
