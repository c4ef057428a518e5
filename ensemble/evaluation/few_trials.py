r"""What F-scores come to on few rows: less, on average, than on many, and they scatter.

F-beta is a curved function of the share J of hits among trials (``wilson``), so it loses by scatter; and where no trial
falls into the rows at all, 0/0 counts as 0. With a Poisson number of trials, expected :math:`\lambda`:

.. math:: E F = \sum_{n \ge 1} \mathrm{Pois}(n; \lambda) \sum_{x = 0}^n \mathrm{Bin}(x; n, J) F(x / n)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.evaluation.wilson import f_of_proportion, f_slope

_MANY = 60.0
"""From so many trials on Taylor's series to the second order is as good: 0.0002 off."""


def moments_of_f(
    proportions: NDArray[np.float64], trials: NDArray[np.float64], beta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of F-beta on other rows.

    Args:
        proportions: Shape (R,), J of the population, in [0, 1].
        trials: Shape (R,), >= 0, how many are expected among those rows; need not be whole.
        beta: Of F-beta; 0: the proportion itself, which any rows have, without bias.

    Returns:
        Two arrays of shape (R,).
    """
    mean, variance = f_of_proportion(proportions, beta), np.zeros(len(proportions))
    many = trials >= (_MANY if beta else 0.0)
    scatter = proportions * (1 - proportions) / np.where(many, np.maximum(trials, 1.0), 1.0)
    curvature = -2 * beta**2 * f_slope(proportions, beta) / (1 + beta**2 * proportions)
    mean = np.where(many, mean + curvature * scatter / 2, mean)
    variance = np.where(many, np.square(f_slope(proportions, beta)) * scatter, variance)
    for place in np.flatnonzero(~many):
        mean[place], variance[place] = _exact(float(proportions[place]), float(trials[place]), beta)
    return mean, variance


def _exact(proportion: float, trials: float, beta: float) -> tuple[float, float]:
    from scipy.stats import binom, poisson  # noqa: PLC0415 - costs a third of a second

    most = int(trials + 8 * np.sqrt(trials)) + 8
    n, hits = np.arange(1, most + 1)[:, None], np.arange(most + 1)[None, :]
    chances = poisson.pmf(n, trials) * binom.pmf(hits, n, proportion)
    values = f_of_proportion(np.minimum(hits / n, 1.0), beta)
    mean = float((chances * values).sum())
    return mean, max(float((chances * np.square(values)).sum()) - mean**2, 0.0)
