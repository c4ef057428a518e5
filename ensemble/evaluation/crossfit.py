"""Cross-fitting: everything that is chosen is chosen on the other folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import checked_probabilities
from ensemble.errors import FoldError
from ensemble.evaluation.rows import LabelledRows
from ensemble.seeds import derive_seed
from ensemble.thresholds import Decider, DecisionRule, ThresholdRule
from ensemble.thresholds.decider import as_decider


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Decisions of which none was made by thresholds that had seen its row.

    Attributes:
        decisions: Shape (N, C), bool, in the order of the rows.
        thresholds: Shape (K, C), float64, one row a fold, ascending: those that decided that fold's rows.
    """

    decisions: NDArray[np.bool_]
    thresholds: NDArray[np.float64]


def cross_fit(
    rule: ThresholdRule | DecisionRule, probabilities: NDArray[Any], *, rows: LabelledRows, seed: int = 0
) -> CrossFit:
    """Decide on each fold by a rule fitted on all others.

    Score the pooled decisions once: a mean of per-fold F1 is noise for rare classes.

    Args:
        rule: Fitted once a fold.
        probabilities: Shape (N, C), out-of-fold, in [0, 1].
        rows: Their labels, folds and groups.
        seed: The rule's only source of chance.

    Raises:
        FoldError: There are fewer than two folds.
        ArrayError: The probabilities do not fit the labels.
    """
    scores = checked_probabilities(probabilities, rows.labels.shape)
    folds = np.unique(rows.folds)
    if len(folds) < 2:
        raise FoldError(f"cross-fitting needs at least 2 folds, got {len(folds)}")
    decisions = np.zeros(scores.shape, dtype=np.bool_)
    thresholds = np.empty((len(folds), scores.shape[1]))
    for number, fold in enumerate(folds.tolist()):
        held_out = rows.folds == fold
        groups = None if rows.groups is None else rows.groups[~held_out]
        rng = np.random.default_rng(derive_seed(seed, "thresholds", "fold", fold))
        decider = as_decider(rule.fit(rows.labels[~held_out], scores[~held_out], groups, rng))
        thresholds[number] = decider.thresholds
        decisions[held_out] = decider(scores[held_out])
    return CrossFit(decisions, thresholds)


def fit_on_all(
    rule: ThresholdRule, probabilities: NDArray[Any], *, rows: LabelledRows, seed: int = 0
) -> NDArray[np.float64]:
    """The final thresholds, shape (C,), fitted on every row. Arguments and errors as for ``cross_fit``."""
    return decider_on_all(rule, probabilities, rows=rows, seed=seed).thresholds


def decider_on_all(
    rule: ThresholdRule | DecisionRule, probabilities: NDArray[Any], *, rows: LabelledRows, seed: int = 0
) -> Decider:
    """The final way to decide, fitted on every row. Arguments and errors as for ``cross_fit``."""
    scores = checked_probabilities(probabilities, rows.labels.shape)
    rng = np.random.default_rng(derive_seed(seed, "thresholds", "all rows"))
    return as_decider(rule.fit(rows.labels, scores, rows.groups, rng))
