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
from scipy.special import expit

from ensemble.thresholds.calibration import Kind, calibrate, features_of
from ensemble.thresholds.cuts import RankedClass, choose_thresholds, rank_classes
from ensemble.thresholds.exact import NONE_POSITIVE


@dataclass(frozen=True)
class PlugInThresholds:
    """Per class: the cut of the fitting rows with the best expected F-beta under a calibration.

    A class without a labelled positive gets 2.0, none; one without a labelled negative 0.0, all.

    Attributes:
        kind: Platt's or the beta calibration.
        pull: How many positives the fit pooled over classes counts as.
        beta: Of F-beta.
    """

    kind: Kind = "beta"
    pull: float = 10.0
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
        lines = calibrate(ranked, self.kind, pull=self.pull)
        pairs = zip(ranked, lines, strict=True)
        return np.array(
            [best_expected(one, expit(features_of(one.scores, self.kind) @ line), self.beta) for one, line in pairs],
            dtype=np.float64,
        )


@dataclass(frozen=True)
class EvenChance:
    """Per class: where a calibration says 1/2. The best single decisions for accuracy, were labels independent.

    Attributes:
        kind: Platt's or the beta calibration.
        pull: How many positives the fit pooled over classes counts as.
    """

    kind: Kind = "beta"
    pull: float = 10.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities, groups)
        thresholds = [NONE_POSITIVE if one.forced is None else one.forced for one in ranked]
        open_classes = [number for number, one in enumerate(ranked) if one.forced is None]
        chosen = [ranked[number] for number in open_classes]
        lines = calibrate(chosen, self.kind, pull=self.pull) if chosen else ()
        for number, one, line in zip(open_classes, chosen, lines, strict=True):
            count = int(np.count_nonzero(features_of(one.scores, self.kind) @ line >= 0.0))
            thresholds[number] = one.threshold_selecting(count) if count else NONE_POSITIVE
        return np.array(thresholds, dtype=np.float64)


def best_expected(one: RankedClass, calibrated: NDArray[np.float64], beta: float) -> int:
    """How many rows to select for the best expected F-beta; of equals the most.

    Args:
        one: A class of n rows.
        calibrated: Shape (n,), the probability of each ranked row to be positive; not falling.
        beta: Of F-beta.
    """
    ends = one.ends
    gained = np.cumsum(calibrated[::-1])
    expected = gained[ends - 1] / (ends + beta**2 * gained[-1])
    return int(ends[len(ends) - 1 - int(np.argmax(expected[::-1]))])
