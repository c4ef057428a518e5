"""Thresholds that call as many rows positive as are positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import rank_classes


@dataclass(frozen=True)
class PriorThresholds:
    """Per class: the share of the fitting rows that is selected is the share that is positive.

    It uses labels for one number only, so it hardly overfits. With as many selected as there are positives, precision
    and recall are equal. A class without a labelled positive gets 2.0, none.
    """

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities)
        return np.array(
            [one.threshold_selecting(one.n_positives) if one.forced is None else one.forced for one in ranked],
            dtype=np.float64,
        )
