"""``auto``: how members are combined is itself chosen, inside the fitting rows, and the mean is kept when in doubt.

A few combinations are cross-fitted on the fitting rows, each with its thresholds. The first, the plain mean, stays
unless another scores higher by more than one standard error of the paired difference; of several that do, the best is
taken. As all of it happens on the rows that ``fit`` is given, ``cross_fit_chain`` scores the choice honestly: K + 1
comparisons of K - 1 or K folds each. Of their fits many are of the same rows ("all folds but 1 and 3" is asked for
when fold 1 is held out and when fold 3 is), so each is made once: 1 + K + K (K - 1) / 2 fits a combination.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import COMBINATIONS, CombinationRule, MemberStack, combination_rule
from ensemble.cores import one_blas_thread
from ensemble.evaluation.chain import Chain, FittedChain
from ensemble.evaluation.gain import PairedGain
from ensemble.evaluation.rows import LabelledRows
from ensemble.folds import stratified_group_folds
from ensemble.metric import Metric
from ensemble.results import TriedCombination
from ensemble.seeds import derive_seed
from ensemble.thresholds import DecisionRule, ThresholdRule

AUTO = ("mean", "mean_logits", "convex", "greedy")
"""What ``auto`` compares: two without weights, weights by log loss, weights by the metric. In doubt the first is kept.

Left out are ``optuna`` (greedy selection's aim at ten times its cost), ``class_weights`` (C times the parameters) and
``mean_ranks`` (a map as long as the fitting rows); each can be asked for by name.
"""
_INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class ChosenChain(FittedChain):
    """A fitted chain, and what it was chosen among.

    Attributes:
        tried: Empty where there was nothing to compare: one member, or rows that cannot be divided.
    """

    tried: tuple[TriedCombination, ...] = ()


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one fold.

    Attributes:
        stack: What members say of them.
        rows: Their labels, folds and groups.
        digest: Of all that a fit looks at.
        chance: Of labels and groups alone: what members are called, or in which order they come, draws nothing anew.
    """

    stack: MemberStack
    rows: LabelledRows
    digest: str
    chance: str


@dataclass(frozen=True, eq=False)
class _Fit:
    chain: FittedChain
    seconds: float


@dataclass(frozen=True)
class AutoChain:
    """A ``ChainRule`` that chooses among combinations. Keep one for a whole cross-fit: it remembers what it fitted.

    Attributes:
        thresholds: Of the chain.
        metric: What is compared.
        combine: At least one rule; the first is kept when in doubt. None: those of ``AUTO``.
        judge: Chooses thresholds inside the comparison, where ``thresholds`` is costly; None: ``thresholds``.
        seed: The only source of chance.
    """

    thresholds: ThresholdRule | DecisionRule
    metric: Metric = field(default_factory=Metric)
    combine: Sequence[CombinationRule] | None = None
    judge: ThresholdRule | DecisionRule | None = None
    seed: int = 0
    _fits: dict[tuple[str, ...], _Fit] = field(default_factory=dict, init=False, repr=False, compare=False)

    def fit(self, stack: MemberStack, rows: LabelledRows, seed: int) -> ChosenChain:  # noqa: ARG002 - the protocol's
        """Compare, choose, and fit what was chosen on all of these rows. See ``ChainRule``.

        Args:
            stack: M members, N rows, C classes; out-of-fold.
            rows: Their labels, folds and groups. Rows of a single fold are divided anew.
            seed: Not looked at: what is fitted on the same rows must be the same, whoever asks for it, so chance comes
                from ``AutoChain.seed`` and the rows.
        """
        rules, parts = self._rules(), _parts(stack, rows, seed=self.seed)
        comparable = len(parts) > 1 and len(rules) > 1 and len(stack.names) > 1
        with one_blas_thread():
            tried = self._compare(rules, parts) if comparable else ()
            chosen = next((number for number, one in enumerate(tried) if one.chosen), 0)
            (fit,) = self._fit_once(parts, [Chain(rules[chosen], self.thresholds)], role="final")
        return ChosenChain(fit.chain.combination, fit.chain.decider, tried)

    def _rules(self) -> tuple[CombinationRule, ...]:
        return tuple(self.combine or (combination_rule(name, metric=self.metric) for name in AUTO))

    def _compare(self, rules: Sequence[CombinationRule], parts: Sequence[_Part]) -> tuple[TriedCombination, ...]:
        """Cross-fit every rule."""
        chains = [Chain(rule, self.judge or self.thresholds) for rule in rules]
        role = "final" if self.judge is None else "judge"

        def decide(held_out: _Part) -> list[tuple[NDArray[np.bool_], float]]:
            fits = self._fit_once([part for part in parts if part is not held_out], chains, role=role)
            return [(fit.chain.decisions(held_out.stack), fit.seconds) for fit in fits]

        with ThreadPoolExecutor(2) as pool:
            by_part = list(pool.map(decide, parts))
        decisions = [np.concatenate([found[number][0] for found in by_part]) for number in range(len(rules))]
        seconds = [float(np.mean([found[number][1] for found in by_part])) for number in range(len(rules))]
        rng = np.random.default_rng(derive_seed(self.seed, "gain", *(part.chance for part in parts)))
        gain = PairedGain(self.metric, _rows_of(parts), rng)
        return _judge(rules, decisions, seconds, gain=gain)

    def _fit_once(self, parts: Sequence[_Part], chains: Sequence[Chain], *, role: str) -> list[_Fit]:
        """Fit each chain on these parts, or remember it."""
        digests = tuple(part.digest for part in parts)
        keys = [(role, chain.combine.name, *digests) for chain in chains]
        if any(key not in self._fits for key in keys):
            stack, rows = _stack_of(parts), _rows_of(parts)
            seed = derive_seed(self.seed, *(part.chance for part in parts))
            for key, chain in zip(keys, chains, strict=True):
                if key not in self._fits:
                    started = time.perf_counter()
                    fitted = chain.fit(stack, rows, seed)
                    self._fits[key] = _Fit(fitted, time.perf_counter() - started)
        return [self._fits[key] for key in keys]


def _judge(
    rules: Sequence[CombinationRule],
    decisions: Sequence[NDArray[np.bool_]],
    seconds: Sequence[float],
    *,
    gain: PairedGain,
) -> tuple[TriedCombination, ...]:
    """The first rule stays unless another gains more than one standard error; of several the best."""
    totals = [gain.totals(decided) for decided in decisions]
    gains = [(0.0, 0.0), *(gain.gain(one, totals[0]) for one in totals[1:])]
    worthy = [number for number, (gained, error) in enumerate(gains) if number and gained > error]
    chosen = max(worthy, key=lambda number: gains[number][0], default=0)
    return tuple(
        TriedCombination(
            name=rule.name,
            title=COMBINATIONS.get(rule.name, rule.name),
            cross_fitted=gain.score(totals[number]),
            gain=gains[number][0],
            standard_error=gains[number][1],
            seconds=seconds[number],
            chosen=number == chosen,
        )
        for number, rule in enumerate(rules)
    )


def _parts(stack: MemberStack, rows: LabelledRows, *, seed: int) -> list[_Part]:
    """The rows, fold by fold; of a single fold a few parts of it, where it can be divided."""
    folds = rows.folds
    if len(np.unique(folds)) < 2:
        n_units = rows.n_groups() or len(rows.labels)
        if n_units >= _INNER_FOLDS:
            inner = derive_seed(seed, "inner folds") % 2**31
            folds = stratified_group_folds(rows.labels, rows.groups, n_folds=_INNER_FOLDS, seed=inner)
    return [_part(stack.rows(folds == fold), rows.subset(folds == fold)) for fold in np.unique(folds).tolist()]


def _part(stack: MemberStack, rows: LabelledRows) -> _Part:
    return _Part(stack, rows, _digest(stack.logits, rows.labels, rows.groups), _digest(rows.labels, rows.groups))


def _digest(*arrays: NDArray[Any] | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"-" if array is None else f"{array.dtype}{array.shape}".encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _stack_of(parts: Sequence[_Part]) -> MemberStack:
    return MemberStack(parts[0].stack.names, np.concatenate([part.stack.logits for part in parts], axis=1))


def _rows_of(parts: Sequence[_Part]) -> LabelledRows:
    groups = [part.rows.groups for part in parts if part.rows.groups is not None]
    return LabelledRows(
        np.concatenate([part.rows.labels for part in parts]),
        np.concatenate([part.rows.folds for part in parts]),
        np.concatenate(groups) if groups else None,
    )
