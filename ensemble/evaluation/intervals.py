r"""How sure a score is: three intervals that answer three questions, never to be mixed up.

=================== ==================================================================================================
what                where is ... (in 95 of 100 such studies)
=================== ==================================================================================================
population_interval the score of this blend on all patients there are like these
prediction_interval the score of this blend on that many test rows: also what the luck of these rows adds
f1_intervals        the F-score of each class of decisions like these
=================== ==================================================================================================

All are Wilson's interval of a proportion, with as many trials as the rows are worth: divided by the *design effect*,
as rows of a patient say less than as many patients (``ratios``). A score of several classes moves along the line on
which it most likely moves: by z standard deviations of the score, class c moves by z times its correlation with the
score, :math:`\rho_c`, and Wilson's limits say where that leads:

.. math:: L = \sum_c w_c F(\mathrm{low}_c(z \rho_c)), \quad U = \sum_c w_c F(\mathrm{high}_c(z \rho_c))

With many positives this is score +- z standard errors; with one class it is Wilson's interval; where a class has few
positives it keeps Wilson's asymmetry. But thresholds that were chosen by few positives scatter both ways, so L is put
half-way to score - z standard errors where that is lower. z is Student's, with G - 1 degrees of freedom. Nothing is
drawn at random.

docs/honest-scores.md has what was measured, against bootstrap intervals too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError
from ensemble.evaluation.few_trials import moments_of_f
from ensemble.evaluation.ratios import Ratios, ratios_of
from ensemble.evaluation.wilson import f_of_proportion, wilson_limits
from ensemble.metric import Metric
from ensemble.results import Interval

LEVEL = 0.95
CHOICE = 1.3
"""The variance of a cross-fitted score around that of the final blend, relative to the variance of a score of given
decisions: what choosing thresholds anew on each fold, and once more on all rows, adds. Measured (see the docs)."""


def population_interval(
    metric: Metric, labels: ArrayLike, decisions: ArrayLike, *, groups: ArrayLike | None = None
) -> Interval:
    """Where the score of the final blend on the whole population is; ``cross_fitted_ci95``.

    Args:
        metric: The score.
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool; cross-fitted, the choices of the whole chain included.
        groups: Shape (N,), text or numbers, what belongs together; None: every row is independent.

    Returns:
        The score of the decisions with its interval, which contains it. Wide, up to [0, 1], where there are few
        groups: two say next to nothing of how others vary.

    Raises:
        ArrayError: Shapes or values are not so, nothing is labelled, or there is only one group (row).
    """
    return _interval(ratios_of(metric, labels, decisions, groups))


def prediction_interval(
    metric: Metric,
    labels: ArrayLike,
    decisions: ArrayLike,
    *,
    test_rows: int,
    groups: ArrayLike | None = None,
    test_groups: int | None = None,
) -> Interval:
    """Where the score of the final blend will fall on other rows of the same population; ``test_interval95``.

    Args:
        metric: The score.
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool; cross-fitted.
        test_rows: How many rows will be scored; more than 0.
        groups: Shape (N,), what belongs together; None: every row is independent.
        test_groups: How many groups the test rows are of; None: unknown, as many rows a group as here.

    Returns:
        The cross-fitted score with the interval, which is wider than ``population_interval``.

    Raises:
        ArrayError: As ``population_interval``; or no rows will be scored.
    """
    if test_rows < 1 or (test_groups is not None and not 1 <= test_groups <= test_rows):
        raise ArrayError(f"expected at least one test row and group, got {test_rows} rows, {test_groups} groups")
    parts = ratios_of(metric, labels, decisions, groups)
    share = test_rows / np.asarray(labels).shape[0]
    if groups is not None and test_groups is not None:
        share = test_groups / len(parts.deviations)
    expected, half = _on_test_rows(parts, share)
    whole = _interval(parts)
    low = expected - np.hypot(whole.point - whole.low, half)
    high = expected + np.hypot(whole.high - whole.point, half)
    return Interval(whole.point, max(float(low), 0.0), min(float(high), 1.0))


def f1_intervals(
    labels: ArrayLike, decisions: ArrayLike, *, groups: ArrayLike | None = None, beta: float = 1.0
) -> NDArray[np.float64]:
    """Where the F-score of each class is, for decisions like these; ``f1_ci95``.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool.
        groups: Shape (N,), what belongs together; None: every row is independent, design effects are 1.
        beta: How many times recall counts as much as precision.

    Returns:
        Shape (C, 2), low and high; NaN for a class without a labelled row, [0, 1] for one without positives and
        positive decisions.

    Raises:
        ArrayError: As ``population_interval``.
    """
    parts = ratios_of(Metric("macro_fbeta", beta=beta), labels, decisions, groups)
    effects = np.ones(len(parts.sizes)) if groups is None else parts.design_effects()
    limits = wilson_limits(parts.proportions, parts.sizes / effects, student_quantile(parts.n_units))
    labelled = ~np.isnan(np.asarray(labels, dtype=np.float64)).all(axis=0)
    result = np.full((labelled.size, 2), np.nan)
    result[labelled] = f_of_proportion(np.stack(limits, axis=1), beta)
    return result


def student_quantile(n_units: ArrayLike) -> NDArray[np.float64]:
    """Of Student's distribution, for a two-sided interval at ``LEVEL``, with one degree of freedom less than units."""
    from scipy.stats import t  # noqa: PLC0415 - costs a third of a second

    return np.asarray(t.ppf((1 + LEVEL) / 2, np.maximum(np.asarray(n_units) - 1, 1)), dtype=np.float64)


def _interval(parts: Ratios) -> Interval:
    effects = CHOICE * parts.design_effects()
    rest = float(np.sqrt(CHOICE * np.square(parts.rest).sum()))
    deviations = np.append(parts.weights * parts.deviation_of_values(effects), rest)
    covariances = deviations[:, None] * parts.correlations() * deviations
    error = float(np.sqrt(covariances.sum()))
    along = np.clip(covariances.sum(axis=1) / error / np.where(deviations > 0, deviations, 1.0), 0.0, 1.0)
    quantiles = student_quantile(parts.n_units)
    limits = wilson_limits(parts.proportions, parts.sizes / effects, quantiles * along[:-1])
    low, high = (float(parts.weights @ f_of_proportion(limit, parts.beta)) for limit in limits)
    beyond = float(quantiles.max() * along[-1]) * rest
    low, high = min(max(low - beyond, 0.0), parts.score), max(min(high + beyond, 1.0), parts.score)
    straight = max(parts.score - float(quantiles.max()) * error, 0.0)
    return Interval(parts.score, (low + min(low, straight)) / 2, high)


def _on_test_rows(parts: Ratios, share: float) -> tuple[float, float]:
    """Mean of the score on ``share`` times the rows, if the population is like these rows, and how far it scatters."""
    trials = share * parts.sizes / parts.design_effects()
    expected, variance = moments_of_f(parts.proportions, trials, parts.beta)
    variance = np.maximum(variance, moments_of_f(parts.nearby(), trials, parts.beta)[1])
    rest = np.square(parts.rest).sum() / share
    deviations = np.append(parts.weights * np.sqrt(variance), np.sqrt(rest))
    error = np.sqrt(deviations @ parts.correlations() @ deviations)
    return float(parts.weights @ expected), float(student_quantile(parts.n_units).max() * error)
