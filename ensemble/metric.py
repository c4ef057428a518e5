r"""What is maximised, by name.

Every metric here is a function of sums over rows: a row's *statistics* are added up, and the score is computed from the
totals. So a resample, a group left out or a second decision of one row costs additions instead of a second pass over
all rows; ``ensemble.metrics`` defines the same scores directly, and the tests hold the two against each other.

=================== ==================================================== =====================================
name                score                                                statistics of a row
=================== ==================================================== =====================================
``macro_f1``        mean over classes of F1                              TP, FP, FN, labelled of each class
``weighted_f1``     the same, weighted by each class's positives         likewise
``macro_fbeta``     mean over classes of F-beta                          likewise
``micro_f1``        F1 of the counts of all classes                      likewise
``sample_f1``       mean over rows of a row's F1                         its F1; 1 where a class is labelled
``subset_accuracy`` share of rows of which every class is right          right; 1 where all classes are labelled
=================== ==================================================== =====================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_decisions, checked_labels
from ensemble.errors import DataError

PER_CLASS = ("macro_f1", "weighted_f1", "macro_fbeta")
"""Metrics whose best thresholds are each class's own best."""
COUPLED = ("micro_f1", "sample_f1", "subset_accuracy")
"""Metrics for which the best decision of one class depends on those of the others."""
METRIC_NAMES = (*PER_CLASS, *COUPLED)
ROW_WISE = ("sample_f1", "subset_accuracy")
"""Of these, the means over rows."""


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: One of ``METRIC_NAMES``.
        beta: How many times recall counts as much as precision; only ``macro_fbeta`` takes another than 1.
    """

    name: str = "macro_f1"
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in METRIC_NAMES:
            raise DataError(f"metric: expected one of {', '.join(METRIC_NAMES)}, got {self.name!r}")
        if self.beta != 1.0 and self.name != "macro_fbeta":
            raise DataError(f"metric: {self.name} has no beta; macro_fbeta does")
        if not 1e-3 <= self.beta <= 1e3:  # beyond, its square is lost beside 1, or the other way round
            raise DataError(f"metric: expected a beta from 0.001 to 1000, got {self.beta!r}")

    @property
    def title(self) -> str:
        """For people: ``macro-F1``."""
        titles = {"weighted_f1": "weighted F1", "micro_f1": "micro-F1", "sample_f1": "sample-F1"}
        titles |= {"macro_f1": "macro-F1", "macro_fbeta": f"macro-F{self.beta:g}", "subset_accuracy": "subset accuracy"}
        return titles[self.name]

    @property
    def splits_by_class(self) -> bool:
        """Whether each class can be decided without the others."""
        return self.name in PER_CLASS

    def score(self, labels: ArrayLike, decisions: ArrayLike) -> float:
        """The score of these decisions; NaN where nothing is labelled.

        Args:
            labels: Shape (N, C), 0, 1 or NaN = not labelled.
            decisions: Shape (N, C), bool.

        Raises:
            ArrayError: Shapes or values are not so.
        """
        statistics = self.row_statistics(labels, decisions)
        return float(self.from_totals(statistics.sum(axis=0)[None, :])[0])

    def row_statistics(self, labels: ArrayLike, decisions: ArrayLike) -> NDArray[np.float64]:
        """What each row adds to the totals, shape (N, S). Arguments and errors as for ``score``."""
        truth = checked_labels(labels)
        decided = checked_decisions(decisions, truth.shape)
        if self.name in ROW_WISE:
            return _of_rows(self.name, truth, decided)
        positive, negative = truth == 1, truth == 0
        cells = (positive & decided, negative & decided, positive & ~decided, positive | negative)
        return np.concatenate([cell.astype(np.float64) for cell in cells], axis=1)

    def from_totals(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores, shape (B,), of B sums of row statistics, shape (B, S)."""
        if self.name in ROW_WISE:
            return np.where(totals[:, 1] > 0, totals[:, 0] / np.where(totals[:, 1] > 0, totals[:, 1], 1.0), np.nan)
        hits, false_alarms, misses, labelled = np.split(totals, 4, axis=1)
        if self.name == "micro_f1":
            hits, false_alarms, misses = (part.sum(axis=1, keepdims=True) for part in (hits, false_alarms, misses))
            labelled = labelled.sum(axis=1, keepdims=True)
        weights = (hits + misses) * (labelled > 0) if self.name == "weighted_f1" else (labelled > 0).astype(np.float64)
        return _weighted_mean(_f_beta(hits, false_alarms, misses, self.beta), weights, defined=labelled > 0)


def _of_rows(name: str, truth: NDArray[np.float64], decided: NDArray[np.bool_]) -> NDArray[np.float64]:
    positive, labelled = truth == 1, ~np.isnan(truth)
    if name == "subset_accuracy":
        counted = labelled.all(axis=1)
        value = (positive == decided).all(axis=1).astype(np.float64)
    else:
        counted = labelled.any(axis=1)
        doubled = 2.0 * (positive & decided).sum(axis=1)
        involved = positive.sum(axis=1) + (decided & labelled).sum(axis=1)
        value = np.where(involved > 0, doubled / np.maximum(involved, 1), 1.0)
    return np.stack([value * counted, counted.astype(np.float64)], axis=1)


def _f_beta(hits: NDArray[Any], false_alarms: NDArray[Any], misses: NDArray[Any], beta: float) -> NDArray[np.float64]:
    """0/0 = 0."""
    gain = (1.0 + beta**2) * hits
    whole = gain + beta**2 * misses + false_alarms
    return np.asarray(gain / np.where(whole > 0, whole, 1.0), dtype=np.float64)


def _weighted_mean(
    values: NDArray[np.float64], weights: NDArray[np.float64], *, defined: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Over axis 1; 0 where all weights are 0 but something is defined (no positives to weight by), else NaN."""
    total = weights.sum(axis=1)
    mean = (values * weights).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, np.where(defined.any(axis=1), 0.0, np.nan))
