"""Two sets of decisions of the same rows: which is better, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.evaluation.intervals import student_quantile
from ensemble.evaluation.ratios import jackknife_scale, sums_by_group
from ensemble.metric import Metric


@dataclass(frozen=True)
class Difference:
    """A score less another one on the same rows.

    Attributes:
        gain: On all rows.
        standard_error: By group; 0 where no group's decisions make a difference.
        low: Lower end of the 95 % interval.
        high: Its upper end.
    """

    gain: float
    standard_error: float
    low: float
    high: float


def paired_difference(
    metric: Metric, labels: ArrayLike, decisions: ArrayLike, other: ArrayLike, *, groups: ArrayLike | None = None
) -> Difference:
    """The score of ``decisions`` less that of ``other``.

    Both err on the same patients, so their difference is known far better than two intervals suggest. The standard
    error is the jackknife's by group (``ratios``), the interval gain +- Student's quantile times it.

    Args:
        metric: The score.
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool.
        other: Likewise.
        groups: Shape (N,), what belongs together; None: every row is independent.

    Raises:
        ArrayError: Shapes or values are not so, or there is only one group (row).
    """
    owners = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]  # text sorts slowly
    units = [sums_by_group(metric.row_statistics(labels, one), owners) for one in (decisions, other)]
    totals = [one.sum(axis=0) for one in units]
    gain = _score(metric, totals[0]) - _score(metric, totals[1])
    left_out = [metric.from_totals(total - one) for total, one in zip(totals, units, strict=True)]
    deviations = gain - (left_out[0] - left_out[1])
    n_units = len(units[0])
    error = jackknife_scale(n_units) * float(np.sqrt(np.nansum(np.square(deviations))))
    half = float(student_quantile(n_units)) * error
    return Difference(gain, error, gain - half, gain + half)


def _score(metric: Metric, total: NDArray[np.float64]) -> float:
    return float(metric.from_totals(total[None])[0])
