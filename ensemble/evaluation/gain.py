"""Whether one chain is better than another on the same rows, by more than chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.evaluation.rows import LabelledRows
from ensemble.metric import Metric

_MOST_UNITS = 2048


class PairedGain:
    """Scores decisions against others on the same rows, and how far chance alone moves the difference.

    Rows that belong together are drawn together. Many groups (rows, where there are no groups) are first thrown
    together at random into 2,048 units: sums of independent groups are independent, so the standard error stays what
    it is, and a resample costs the same for a thousand rows and for a million.
    """

    def __init__(self, metric: Metric, rows: LabelledRows, rng: np.random.Generator, *, resamples: int = 200) -> None:
        """Draw the resamples, the same for every comparison.

        Args:
            metric: What is compared.
            rows: N rows that both chains decide on.
            rng: The only source of chance.
            resamples: How many bootstrap samples.
        """
        self._metric = metric
        self._labels = rows.labels
        units = _units(rows, rng)
        self._order = np.argsort(units, kind="stable")
        self._starts = np.flatnonzero(np.diff(units[self._order], prepend=-1))
        n_units = len(self._starts)
        self._draws = rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=resamples).astype(np.float64)

    def totals(self, decisions: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Statistics of the decisions, shape (N, C), summed in each unit."""
        statistics = self._metric.row_statistics(self._labels, decisions)
        return np.add.reduceat(statistics[self._order], self._starts, axis=0)

    def score(self, totals: NDArray[np.float64]) -> float:
        """The metric of all rows; NaN where nothing is labelled."""
        return float(self._metric.from_totals(totals.sum(axis=0, keepdims=True))[0])

    def gain(self, totals: NDArray[np.float64], baseline: NDArray[np.float64]) -> tuple[float, float]:
        """By how much the first score higher than the second, and the standard error of this difference."""
        moved = self._metric.from_totals(self._draws @ totals) - self._metric.from_totals(self._draws @ baseline)
        moved = moved[~np.isnan(moved)]
        error = float(moved.std(ddof=1)) if len(moved) > 1 else float("nan")
        return self.score(totals) - self.score(baseline), error


def _units(rows: LabelledRows, rng: np.random.Generator) -> NDArray[np.intp]:
    """Shape (N,): the number of each row's unit."""
    if rows.groups is None:
        n_groups, group = len(rows.labels), np.arange(len(rows.labels))
    else:
        names, group = np.unique(rows.groups, return_inverse=True)
        n_groups = len(names)
    if n_groups <= _MOST_UNITS:
        return np.asarray(group, dtype=np.intp)
    unit_of = rng.permutation(np.arange(n_groups) % _MOST_UNITS)
    return np.asarray(unit_of[group], dtype=np.intp)
