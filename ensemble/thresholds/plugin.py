r"""Thresholds from calibrated probabilities: with those, the expected F can be computed and maximised.

.. math:: \mathbb E F_\beta \approx \frac{(1+\beta^2) \sum_{\text{selected}} q_i}{k + \beta^2 \sum_i q_i}

for the k selected rows. At its maximum the cut lies where :math:`q = F^*/(1+\beta^2)`, for F1 at half the best F.

Source: Lipton, Elkan, Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure (ECML 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.calibration import Kind, calibrated
from ensemble.thresholds.cuts import RankedClass, choose_thresholds, rank_classes
from ensemble.thresholds.exact import NONE_POSITIVE


@dataclass(frozen=True)
class PlugInThresholds:
    """Per class: the cut of the fitting rows with the best expected F-beta under a calibration.

    A class without a labelled positive gets 2.0, none; one without a labelled negative 0.0, all.

    Attributes:
        kind: Of calibration: Platt's, beta, or beta and ranks.
        beta: Of F-beta.
    """

    kind: Kind = "beta"
    beta: float = 1.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        return choose_thresholds(self, labels, probabilities, groups, rng)

    def counts(self, ranked: Sequence[RankedClass], rng: np.random.Generator) -> NDArray[np.float64]:  # noqa: ARG002
        """See ``CountRule``."""
        pairs = zip(ranked, calibrated(ranked, self.kind), strict=True)
        return np.array(
            [best_expected(one, probabilities, self.beta) for one, probabilities in pairs], dtype=np.float64
        )


@dataclass(frozen=True)
class EvenChance:
    """Per class: where a calibration says 1/2. The best single decisions for accuracy, were labels independent.

    Attributes:
        kind: Platt's or the beta calibration.
    """

    kind: Kind = "beta"

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities, groups)
        open_classes = [one for one in ranked if one.forced is None]
        chances = iter(calibrated(open_classes, self.kind) if open_classes else ())
        thresholds = []
        for one in ranked:
            if one.forced is not None:
                thresholds.append(one.forced)
                continue
            count = int(np.count_nonzero(next(chances) >= 0.5))
            thresholds.append(one.threshold_selecting(count) if count else NONE_POSITIVE)
        return np.array(thresholds, dtype=np.float64)


def best_expected(one: RankedClass, chances: NDArray[np.float64], beta: float) -> int:
    """How many rows to select for the best expected F-beta; of equals the most.

    Args:
        one: A class of n rows.
        chances: Shape (n,), the probability of each ranked row to be positive; not falling.
        beta: Of F-beta.
    """
    ends = one.ends
    gained = np.cumsum(chances[::-1])
    expected = gained[ends - 1] / (ends + beta**2 * gained[-1])
    return int(ends[len(ends) - 1 - int(np.argmax(expected[::-1]))])
