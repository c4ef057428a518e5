"""Weights searched by Optuna: what greedy selection does by steps, done by sampling."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.cells import choose_cells
from ensemble.blending.combine import uniform_weights
from ensemble.blending.cuts import BestScore
from ensemble.blending.mean import WeightedMean
from ensemble.blending.stack import MemberStack
from ensemble.metric import Metric
from ensemble.search import maximise_weights


@dataclass(frozen=True)
class OptunaWeights:
    r"""Optuna searches the weights; the thresholds of each trial are solved inside, not searched.

    It starts from the uniform weights, and its answer is shrunk toward them, :math:`w = (1 - s) \hat w + s / M`.

    Attributes:
        metric: What is maximised.
        trials: How many weights are tried.
        shrink: s, from 0, as found, to 1, the plain mean.
        journal: Where to keep the study; None: it is forgotten.
        name: Of the rule.
    """

    metric: Metric = field(default_factory=Metric)
    trials: int = 100
    shrink: float = 0.5
    journal: Path | None = None
    name: str = "optuna"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,  # noqa: ARG002 - the protocol's
        rng: np.random.Generator,
    ) -> WeightedMean:
        """See ``CombinationRule``."""
        uniform = uniform_weights(len(stack.names))
        if len(uniform) == 1:
            return WeightedMean(self.name, uniform)
        cells = choose_cells(stack, labels, rng)
        best_score, probabilities = BestScore(self.metric, cells), [one.probabilities() for one in cells]

        def score(weights: NDArray[np.float64]) -> float:
            mixed = (weights.astype(np.float32)[None, :] @ one for one in probabilities)
            return float(best_score(mixed)[0])

        seed = int(rng.integers(2**31))
        found = maximise_weights(score, stack.names, trials=self.trials, seed=seed, start=uniform, journal=self.journal)
        return WeightedMean(self.name, (1.0 - self.shrink) * found + self.shrink * uniform)
