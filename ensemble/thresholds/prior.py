"""Thresholds that call as many rows positive as are positive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import RankedClass, choose_thresholds


@dataclass(frozen=True)
class PriorThresholds:
    """Per class: the share of the fitting rows that is selected is the share that is positive.

    It uses labels for one number only, so it hardly overfits. With as many selected as there are positives, precision
    and recall are equal. A class without a labelled positive gets 2.0, none; one without a labelled negative 0.0, all.
    """

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
        return np.array([float(one.n_positives) for one in ranked])
