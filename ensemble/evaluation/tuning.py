"""A decision rule fitted on scores of held-out rows, with the score that it deserves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.intervals import population_interval
from ensemble.evaluation.rows import LabelledRows
from ensemble.metric import Metric
from ensemble.results import Interval
from ensemble.seeds import derive_seed
from ensemble.thresholds import Decider, DecisionRule


@dataclass(frozen=True, eq=False)
class Tuned:
    """A fitted rule.

    Attributes:
        decider: Fitted on all rows.
        cross_fitted: Decisions and thresholds of each fold, fitted on the others.
        interval: The score of these decisions; ``population_interval``.
        in_sample: The score of the fitted rule on the rows that it was fitted on; optimistic.
    """

    decider: Decider
    cross_fitted: CrossFit
    interval: Interval
    in_sample: float


def tune(
    rule: DecisionRule, probabilities: NDArray[np.float64], *, rows: LabelledRows, metric: Metric, seed: int
) -> Tuned:
    """Fit a rule on all rows, and score it cross-fitted.

    Args:
        rule: Fitted once, and once a fold.
        probabilities: Shape (N, C), in [0, 1], of models that have not seen the row.
        rows: Their labels, folds (two or more) and groups.
        metric: The score.
        seed: The only source of chance.

    Raises:
        ArrayError: There is only one group (row).
    """
    decisions = np.zeros(probabilities.shape, dtype=np.bool_)
    thresholds = []
    for fold in np.unique(rows.folds).tolist():
        held_out = rows.folds == fold
        seen, rng = rows.subset(~held_out), np.random.default_rng(derive_seed(seed, "thresholds", "fold", fold))
        fitted = rule.fit(seen.labels, probabilities[~held_out], seen.groups, rng)
        decisions[held_out] = fitted(probabilities[held_out])
        thresholds.append(fitted.thresholds)
    rng = np.random.default_rng(derive_seed(seed, "thresholds", "all rows"))
    decider = rule.fit(rows.labels, probabilities, rows.groups, rng)
    return Tuned(
        decider,
        CrossFit(decisions, np.stack(thresholds)),
        population_interval(metric, rows.labels, decisions, groups=rows.groups),
        metric.score(rows.labels, decider(probabilities)),
    )
