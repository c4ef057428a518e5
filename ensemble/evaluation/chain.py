"""The whole chain from members to decisions, fitted at once: how they are combined, then how is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending.rules import Combination, CombinationRule
from ensemble.blending.stack import MemberStack
from ensemble.cores import one_blas_thread
from ensemble.errors import FoldError
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.rows import LabelledRows
from ensemble.seeds import derive_seed
from ensemble.thresholds import Decider, DecisionRule, ThresholdRule
from ensemble.thresholds.decider import as_decider


@dataclass(frozen=True, eq=False)
class FittedChain:
    """A fixed map from members to decisions.

    Attributes:
        combination: From members' logits to the blend's.
        decider: From the blend's probabilities to decisions.
    """

    combination: Combination
    decider: Decider

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Shape (C,), float64, of the blend's probabilities."""
        return self.decider.thresholds

    def probabilities(self, stack: MemberStack) -> NDArray[np.float64]:
        """Of the blend, shape (N, C), float64: what its stored float32 logits say."""
        return np.asarray(expit(self.combination(stack).astype(np.float64)))

    def decisions(self, stack: MemberStack) -> NDArray[np.bool_]:
        """Shape (N, C)."""
        return self.decider(self.probabilities(stack))


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
    """One way to combine, one rule to decide."""

    combine: CombinationRule
    thresholds: ThresholdRule | DecisionRule

    def fit(self, stack: MemberStack, rows: LabelledRows, seed: int) -> FittedChain:
        """See ``ChainRule``."""
        rng = np.random.default_rng(derive_seed(seed, "combine", self.combine.name))
        combination = self.combine.fit(stack, rows.labels, rows.groups, rng)
        probabilities = np.asarray(expit(combination(stack).astype(np.float64)))
        rng = np.random.default_rng(derive_seed(seed, "thresholds"))
        found = self.thresholds.fit(rows.labels, probabilities, rows.groups, rng)
        return FittedChain(combination, as_decider(found))


@dataclass(frozen=True, eq=False)
class FoldChain:
    """What was fitted on all folds but one.

    Attributes:
        fold: The one.
        held_out: Shape (N,), bool: its rows.
        fitted: On the others.
    """

    fold: int
    held_out: NDArray[np.bool_]
    fitted: FittedChain


def fit_folds(rule: ChainRule, stack: MemberStack, *, rows: LabelledRows, seed: int = 0) -> list[FoldChain]:
    """Fit a chain for every fold, choices included, on all other folds.

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
    chains = []
    with one_blas_thread():
        for fold in folds:
            held_out = rows.folds == fold
            fitted = rule.fit(stack.rows(~held_out), rows.subset(~held_out), derive_seed(seed, "fold", fold))
            chains.append(FoldChain(fold, held_out, fitted))
    return chains


def decide_folds(chains: Sequence[FoldChain], stack: MemberStack) -> CrossFit:
    """The pooled decisions of every row by the chain that has not seen it; chains as from ``fit_folds``."""
    decisions = np.zeros(stack.logits.shape[1:], dtype=np.bool_)
    for one in chains:
        decisions[one.held_out] = one.fitted.decisions(stack.rows(one.held_out))
    return CrossFit(decisions, np.stack([one.fitted.thresholds for one in chains]))


def cross_fit_chain(rule: ChainRule, stack: MemberStack, *, rows: LabelledRows, seed: int = 0) -> CrossFit:
    """Decide on each fold by a chain that was fitted, choices included, on all other folds.

    Score the pooled decisions once: a mean of per-fold scores is noise for rare classes. Arguments and errors as for
    ``fit_folds``.
    """
    return decide_folds(fit_folds(rule, stack, rows=rows, seed=seed), stack)
