r"""A score taken apart: into proportions, how much each weighs, and what each unit (a group, or a row) adds.

macro-F1 is a mean of C functions of proportions (``wilson``), micro-F1 a function of one, sample-F1 and subset accuracy
are means over rows. Leaving out one unit after another shows how parts vary, together and apart: the *jackknife*. It is
the group bootstrap's variance without its noise and without its downward bias where groups are few:

.. math:: \widehat{cov}(c, d) = \frac{G - 1}{G} \sum_g (F_c - F_{c, -g}) (F_d - F_{d, -g})

Source: Efron and Stein 1981, doi 10.1214/aos/1176345462 (not too small on average); MacKinnon, Nielsen and Webb 2023,
doi 10.1002/jae.2990 (by group, with G - 1 degrees of freedom).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError
from ensemble.evaluation.resampling import sums_of_groups
from ensemble.evaluation.wilson import f_of_proportion, f_slope, share
from ensemble.metric import PER_CLASS, Metric


@dataclass(frozen=True, eq=False)
class Ratios:
    """A score as a weighted mean of R functions of proportions. All arrays float64.

    Attributes:
        score: What they make.
        beta: Of F-beta, the function; 0: the proportions themselves.
        proportions: Shape (R,), in [0, 1].
        sizes: Shape (R,), > 0 or 0: how many trials each is worth if rows are independent.
        clump: Shape (R,), >= 1: trials of a unit, as seen by a trial; the design effect if units were all of a piece.
        weights: Shape (R,), > 0, sum 1.
        n_units: Shape (R,), int64: units that say anything of it.
        deviations: Shape (G, R): of the functions by unit, scaled so that their product sums are covariances.
        rest: Shape (G,), likewise: what the weights add to the deviation of the score.
    """

    score: float
    beta: float
    proportions: NDArray[np.float64]
    sizes: NDArray[np.float64]
    clump: NDArray[np.float64]
    weights: NDArray[np.float64]
    n_units: NDArray[np.int64]
    deviations: NDArray[np.float64]
    rest: NDArray[np.float64]

    @property
    def values(self) -> NDArray[np.float64]:
        """Shape (R,): the functions of the proportions."""
        return f_of_proportion(self.proportions, self.beta)

    def design_effects(self) -> NDArray[np.float64]:
        """Shape (R,), >= 1: how many times the variance is that of as many independent rows.

        Nothing varies at 0 and 1; there the worst is assumed, that a unit's trials all come out alike.
        """
        independent = self._variance(self.proportions)
        between = np.square(self.deviations).sum(axis=0)
        return np.maximum(1.0, np.where(independent > 0, share(between, independent), self.clump))

    def deviation_of_values(self, design_effects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (R,): standard deviations, > 0 at 0 and 1 too: there those of half a trial more of either outcome."""
        variance = np.maximum(self._variance(self.proportions), self._variance(self.nearby()))
        return np.sqrt(variance * design_effects)

    def nearby(self) -> NDArray[np.float64]:
        """Shape (R,): the proportions with half a trial more of either outcome, so neither 0 nor 1."""
        trials = np.maximum(self.sizes, 1.0)
        return np.asarray((self.proportions * trials + 0.5) / (trials + 1.0))

    def correlations(self) -> NDArray[np.float64]:
        """Shape (R + 1, R + 1): of the functions and, last, of the rest. What does not vary goes with nothing."""
        parts = np.column_stack([self.deviations, self.rest])
        lengths = np.sqrt(np.square(parts).sum(axis=0))
        unit = parts / np.where(lengths > 0, lengths, 1.0)
        result = unit.T @ unit
        np.fill_diagonal(result, 1.0)
        return np.asarray(result)

    def _variance(self, proportions: NDArray[np.float64]) -> NDArray[np.float64]:
        binomial = proportions * (1 - proportions) / np.maximum(self.sizes, 1.0)
        return np.asarray(np.square(f_slope(proportions, self.beta)) * binomial)


def ratios_of(metric: Metric, labels: ArrayLike, decisions: ArrayLike, groups: ArrayLike | None = None) -> Ratios:
    """Take a score apart. Classes without any labelled row are left out, as everywhere.

    Args:
        metric: The score.
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool.
        groups: Shape (N,), text or numbers, what belongs together; None: every row is independent.

    Raises:
        ArrayError: Shapes or values are not so; nothing is labelled; or there is only one group (row).
    """
    statistics = metric.row_statistics(labels, decisions)
    units = sums_by_group(statistics, groups)
    score = float(metric.from_totals(units.sum(axis=0)[None])[0])
    if metric.name in ("sample_f1", "subset_accuracy"):
        return _of_rows(statistics, units, score)
    return _of_counts(metric, units, score)


def sums_by_group(statistics: NDArray[np.float64], groups: ArrayLike | None) -> NDArray[np.float64]:
    """Row statistics, shape (N, S), added up over each group, shape (G, S); groups in ascending order.

    Raises:
        ArrayError: ``groups`` has another length, or there are fewer than two groups (rows, where there are none).
    """
    sums = np.asarray(sums_of_groups(statistics, groups), dtype=np.float64)
    if len(sums) < 2:
        what = "rows" if groups is None else "groups"
        raise ArrayError(f"an interval needs at least 2 {what}, got {len(sums)}: one says nothing of how others vary")
    return sums


def jackknife_scale(n_units: int) -> float:
    """What makes product sums of leave-one-out deviations covariances."""
    return float(np.sqrt((n_units - 1) / n_units))


def _of_counts(metric: Metric, units: NDArray[np.float64], score: float) -> Ratios:
    """Units: shape (G, 4 C), hits, false alarms, misses and labelled cells of each class."""
    cells = np.moveaxis(units.reshape(len(units), 4, -1), 1, 0)
    cells = cells if metric.name in PER_CLASS else cells.sum(axis=2, keepdims=True)
    cells = cells[:, :, _labelled(cells[3].sum(axis=0))]
    totals, beta = cells.sum(axis=1), metric.beta
    trials = cells[0] + cells[1] + beta**2 * cells[2]
    scale = jackknife_scale(len(units))
    left = totals - np.moveaxis(cells, 1, 0)  # (G, 4, R)
    deviations = scale * (_f_of_cells(totals, beta) - _f_of_cells(np.moveaxis(left, 1, 0), beta))
    weights = _weights(metric, totals)
    rest = np.zeros(len(units))
    if metric.name == "weighted_f1":
        rest = scale * (score - metric.from_totals(units.sum(axis=0) - units)) - deviations @ weights
    return Ratios(
        score=score,
        beta=beta,
        proportions=share(totals[0], trials.sum(axis=0)),
        sizes=_trials_worth(totals, beta),
        clump=np.maximum(1.0, share(np.square(trials).sum(axis=0), trials.sum(axis=0))),
        weights=weights,
        n_units=np.count_nonzero(cells[3], axis=0),
        deviations=deviations,
        rest=rest,
    )


def _of_rows(rows: NDArray[np.float64], units: NDArray[np.float64], score: float) -> Ratios:
    """Both: shape (., 2), sums of row scores and of rows that have one."""
    counted = rows[rows[:, 1] > 0, 0]
    value, trials = units.T
    _labelled(trials.sum(keepdims=True))
    n = trials.sum()
    mean = counted.mean()
    left = share(value.sum() - value, n - trials)
    spread = np.square(counted - mean).sum() / (n * max(n - 1, 1.0))
    return Ratios(
        score=score,
        beta=0.0,
        proportions=np.array([mean]),
        sizes=np.array([mean * (1 - mean) / spread if spread > 0 else n]),
        clump=np.array([np.square(trials).sum() / n]),
        weights=np.ones(1),
        n_units=np.array([np.count_nonzero(trials)]),
        deviations=jackknife_scale(len(units)) * (mean - left)[:, None],
        rest=np.zeros(len(units)),
    )


def _f_of_cells(cells: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """F-beta, shape (..., R), of counts, shape (4, ..., R)."""
    hits, false_alarms, misses = cells[:3]
    return f_of_proportion(share(hits, hits + false_alarms + beta**2 * misses), beta)


def _labelled(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    labelled = np.asarray(cells > 0)
    if not labelled.any():
        raise ArrayError("labels: expected 0 or 1 somewhere, got nothing that is labelled: there is nothing to score")
    return labelled


def _weights(metric: Metric, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (R,), sum 1; equal where nothing is positive to weigh by."""
    positives = totals[0] + totals[2]
    equal = metric.name != "weighted_f1" or not positives.any()
    wanted = np.ones_like(positives) if equal else positives
    return np.asarray(wanted / wanted.sum())


def _trials_worth(totals: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Shape (R,): of how many Bernoulli trials J has the variance; for beta = 1 just TP + FP + FN.

    A miss counts beta squared trials at once. J (1 - J) / var(J) by the delta method; its limit where J is 0 or 1.
    """
    hits, false_alarms, misses, _ = totals
    whole = hits + false_alarms + beta**2 * misses
    proportion = share(hits, whole)
    spread = hits * np.square(1 - proportion) + np.square(proportion) * (false_alarms + beta**4 * misses)
    inner = (proportion > 0) & (proportion < 1)
    limit = whole / max(1.0, beta**2)
    return np.where(inner, share(proportion * (1 - proportion) * np.square(whole), spread), limit)
