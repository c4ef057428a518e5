"""Rules that choose thresholds. A new rule is a new class with ``fit``, not a new flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ensemble.metric import ROW_WISE, Metric
from ensemble.search import maximise
from ensemble.thresholds.exact import exact_thresholds, global_threshold
from ensemble.thresholds.objective import RowScoreOfThresholds, ScoreOfThresholds

MACRO_F1 = Metric("macro_f1")


class ThresholdRule(Protocol):
    """Chooses one threshold per class from labelled rows, and from nothing else."""

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Choose thresholds.

        Args:
            labels: Shape (N, C), 0, 1 or NaN = not labelled.
            probabilities: Shape (N, C), in [0, 1].
            groups: Shape (N,), what belongs together, e.g. the patient; None: every row is independent.
            rng: The only source of chance.

        Returns:
            Shape (C,), float64, for ``decide``.
        """
        ...


@dataclass(frozen=True)
class FixedThreshold:
    """The same stated number for every class, whatever the rows say."""

    value: float = 0.5

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],  # noqa: ARG002 - the protocol's
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        return np.full(labels.shape[1], self.value)


@dataclass(frozen=True)
class GlobalThreshold:
    """One number for all classes, the best in sample for the metric.

    Attributes:
        metric: One that splits by class.
    """

    metric: Metric = MACRO_F1

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        weighted = self.metric.name == "weighted_f1"
        best = global_threshold(labels, probabilities, beta=self.metric.beta, by_positives=weighted)
        return np.full(labels.shape[1], best)


@dataclass(frozen=True)
class ExactThresholds:
    """One number per class, the best in sample; see ``exact_thresholds``.

    Attributes:
        beta: Of F-beta.
    """

    beta: float = 1.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        return exact_thresholds(labels, probabilities, beta=self.beta)


@dataclass(frozen=True)
class OptunaThresholds:
    """One number per class, searched jointly in [0, 1] by Optuna's TPE.

    Attributes:
        trials: How many sets of thresholds are tried.
        start: The rule whose answer is tried first; None: a cold start.
        class_names: How the study names the thresholds; None: by number.
        journal: Where to keep the study; None: it is forgotten.
        metric: What is maximised.
    """

    trials: int = 100
    start: ThresholdRule | None = None
    class_names: Sequence[str] | None = None
    journal: Path | None = None
    metric: Metric = MACRO_F1

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        names = self.class_names or [f"class {number}" for number in range(labels.shape[1])]
        seed = int(rng.integers(2**31))
        start = None if self.start is None else self.start.fit(labels, probabilities, groups, rng)
        by_row = self.metric.name in ROW_WISE
        objective = (RowScoreOfThresholds if by_row else ScoreOfThresholds)(labels, probabilities, self.metric)
        return maximise(objective, names, trials=self.trials, seed=seed, start=start, journal=self.journal)
