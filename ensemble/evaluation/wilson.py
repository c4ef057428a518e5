r"""Wilson's interval of a proportion, and how it becomes one of F-beta.

F-beta is a monotone function of one proportion, :math:`J = TP / (TP + FP + \beta^2 FN)`; for beta = 1 the share of
hits among the rows where the class is present, or said to be:

.. math:: F_\beta = \frac{(1 + \beta^2) J}{1 + \beta^2 J}

Source: Wilson 1927, doi 10.1080/01621459.1927.10502953; Brown, Cai and DasGupta 2001, doi 10.1214/ss/1009213286, of
why not Wald's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def wilson_limits(
    proportions: ArrayLike, sizes: ArrayLike, quantile: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Where a proportion may lie.

    .. math:: \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4n^2}}{1 + z^2 / n}

    Args:
        proportions: p, in [0, 1]; broadcast against the other two.
        sizes: n, > 0, the trials they are worth; need not be whole. 0: nothing is known, the limits are 0 and 1.
        quantile: z, >= 0; 1.96 for 95 %.

    Returns:
        Lower and upper limits, in [0, 1].
    """
    p, n, z = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (proportions, sizes, quantile)))
    known = n > 0
    spread = np.square(z) / np.where(known, n, 1.0)
    centre = p + spread / 2
    half = np.sqrt(spread * (p * (1 - p) + spread / 4))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    low, high = np.where(p <= 0, 0.0, low), np.where(p >= 1, 1.0, high)  # as they are without rounding errors
    return np.where(known, np.maximum(low, 0.0), 0.0), np.where(known, np.minimum(high, 1.0), 1.0)


def f_of_proportion(proportions: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """F-beta of J; beta = 0 leaves a proportion as it is."""
    return np.asarray((1 + beta**2) * proportions / (1 + beta**2 * proportions))


def f_slope(proportions: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """The derivative of ``f_of_proportion``."""
    return np.asarray((1 + beta**2) / np.square(1 + beta**2 * proportions))


def share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """``part / whole``, 0/0 = 0."""
    return np.asarray(part / np.where(whole > 0, whole, 1.0), dtype=np.float64)
