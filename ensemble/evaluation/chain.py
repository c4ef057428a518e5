"""The whole chain from members to decisions, fitted at once: how they are combined, then thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending.rules import Combination, CombinationRule
from ensemble.blending.stack import MemberStack
from ensemble.errors import FoldError
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.rows import LabelledRows
from ensemble.seeds import derive_seed
from ensemble.thresholds import ThresholdRule, decide


@dataclass(frozen=True, eq=False)
class FittedChain:
    """A fixed map from members to decisions.

    Attributes:
        combination: From members' logits to the blend's.
        thresholds: Shape (C,), float64, of the blend's probabilities.
    """

    combination: Combination
    thresholds: NDArray[np.float64]

    def probabilities(self, stack: MemberStack) -> NDArray[np.float64]:
        """Of the blend, shape (N, C), float64: what its stored float32 logits say."""
        return np.asarray(expit(self.combination(stack).astype(np.float64)))

    def decisions(self, stack: MemberStack) -> NDArray[np.bool_]:
        """Shape (N, C)."""
        return decide(self.probabilities(stack), self.thresholds)


class ChainRule(Protocol):
    """Fits a chain on labelled rows, and on nothing else; may choose among several, as long as it does so inside."""

    def fit(self, stack: MemberStack, rows: LabelledRows, seed: int) -> FittedChain:
        """Fit.

        Args:
            stack: M members, N rows, C classes; out-of-fold.
            rows: Their labels, folds and groups.
            seed: The only source of chance.
        """
        ...


@dataclass(frozen=True)
class Chain:
    """One way to combine, one rule for thresholds."""

    combine: CombinationRule
    thresholds: ThresholdRule

    def fit(self, stack: MemberStack, rows: LabelledRows, seed: int) -> FittedChain:
        """See ``ChainRule``."""
        rng = np.random.default_rng(derive_seed(seed, "combine", self.combine.name))
        combination = self.combine.fit(stack, rows.labels, rows.groups, rng)
        probabilities = np.asarray(expit(combination(stack).astype(np.float64)))
        rng = np.random.default_rng(derive_seed(seed, "thresholds"))
        return FittedChain(combination, self.thresholds.fit(rows.labels, probabilities, rows.groups, rng))


def cross_fit_chain(rule: ChainRule, stack: MemberStack, *, rows: LabelledRows, seed: int = 0) -> CrossFit:
    """Decide on each fold by a chain that was fitted, choices included, on all other folds.

    Score the pooled decisions once: a mean of per-fold scores is noise for rare classes.

    Args:
        rule: Fitted once a fold.
        stack: M members, N rows, C classes; out-of-fold.
        rows: Their labels, folds and groups.
        seed: The only source of chance.

    Raises:
        FoldError: There are fewer than two folds.
    """
    folds = np.unique(rows.folds).tolist()
    if len(folds) < 2:
        raise FoldError(f"cross-fitting needs at least 2 folds, got {len(folds)}")
    decisions = np.zeros(rows.labels.shape, dtype=np.bool_)
    thresholds = np.empty((len(folds), rows.labels.shape[1]))
    for number, fold in enumerate(folds):
        held_out = rows.folds == fold
        fitted = rule.fit(stack.rows(~held_out), rows.subset(~held_out), derive_seed(seed, "fold", fold))
        decisions[held_out] = fitted.decisions(stack.rows(held_out))
        thresholds[number] = fitted.thresholds
    return CrossFit(decisions, thresholds)
