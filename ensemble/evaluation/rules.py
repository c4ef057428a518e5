"""The threshold search report: every rule on the same blend, in sample and cross-fitted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import MemberStack
from ensemble.errors import DataError
from ensemble.evaluation.chain import FoldChain
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.wishes import BlendWishes
from ensemble.results import RuleResult, Scores
from ensemble.runs import BlendPaths
from ensemble.seeds import derive_seed
from ensemble.thresholds import (
    THRESHOLD_RULES,
    DecisionRule,
    LabelRules,
    OptunaThresholds,
    decision_rule,
    rule_title,
    threshold_rule,
)
from ensemble.thresholds.decider import ByThresholds

STUDIES = {"cold": "Optuna, cold", "warm": "Optuna, from exact"}
"""The Optuna studies, name to title; the rules are called ``optuna_<name>``."""


@dataclass(frozen=True)
class Candidate:
    """A rule that is tried.

    Attributes:
        name: Short and stable.
        title: For people.
        rule: Fitted on K - 1 folds at a time.
        final_rule: Fitted on all rows, where that is to leave something on disk; None: ``rule``.
    """

    name: str
    title: str
    rule: DecisionRule
    final_rule: DecisionRule | None = None


def candidates(wishes: BlendWishes, class_names: Sequence[str], *, paths: BlendPaths | None = None) -> list[Candidate]:
    """The rules of the search report: all that the metric has, and two Optuna studies.

    Args:
        wishes: The metric, the label rules, and how many trials each study has; 0 leaves the studies out.
        class_names: As the Optuna study shall name the thresholds.
        paths: Where the studies over all rows are kept; None: nowhere.
    """
    label_rules, tried = wishes.label_rules(class_names), []
    for name in THRESHOLD_RULES:
        if name == "optuna":
            continue
        try:
            rule = decision_rule(name, metric=wishes.metric, label_rules=label_rules)
        except DataError:
            continue  # not for this metric
        tried.append(Candidate(name, rule_title(name), rule))
    if wishes.trials:
        tried += [_study(study, wishes, class_names, label_rules, paths) for study in STUDIES]
    return tried


def _study(
    study: str, wishes: BlendWishes, class_names: Sequence[str], label_rules: LabelRules, paths: BlendPaths | None
) -> Candidate:
    start = threshold_rule("exact", metric=wishes.metric) if study == "warm" else None
    rule = OptunaThresholds(wishes.trials, start, tuple(class_names), metric=wishes.metric)
    kept = dataclasses.replace(rule, journal=None if paths is None else paths.journal(study))
    title = f"{STUDIES[study]}, {wishes.trials} trials"
    return Candidate(f"optuna_{study}", title, ByThresholds(rule, label_rules), ByThresholds(kept, label_rules))


@dataclass(frozen=True, eq=False)
class Blended:
    """A blend, on all rows and on each fold.

    Attributes:
        rows: The N training rows.
        probabilities: Shape (N, C): of the blend fitted on all rows.
        by_fold: For each fold: which rows it holds, shape (N,), bool; and the probabilities, shape (N, C), of the blend
            fitted on the others.
    """

    rows: LabelledRows
    probabilities: NDArray[np.float64]
    by_fold: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64]]]


def blend_folds(
    chains: Sequence[FoldChain], stack: MemberStack, *, rows: LabelledRows, probabilities: NDArray[np.float64]
) -> Blended:
    """The blend of every fold's chain on all rows. Its memory is K x N x C float64; means are stored once.

    Args:
        chains: As from ``fit_folds``.
        stack: M members, N rows, C classes.
        rows: Their labels, folds and groups.
        probabilities: Shape (N, C): of the blend fitted on all rows.
    """
    by_fold = []
    for one in chains:
        same = one.fitted.combination.name in ("mean", "mean_logits")
        found = probabilities if same and len(stack.names) == 1 else one.fitted.probabilities(stack)
        by_fold.append((one.held_out, found))
    return Blended(rows, probabilities, by_fold)


def try_rules(tried: Sequence[Candidate], blended: Blended, *, wishes: BlendWishes, scores: Scores) -> list[RuleResult]:
    """Score every candidate on the same blends.

    Args:
        tried: The rules.
        blended: On all rows, and on each fold.
        wishes: The metric, the seed, and the rule that the blend decides by.
        scores: Of the blend: the chosen rule's are these, whatever chance says when it is fitted again.
    """
    results = []
    for candidate in tried:
        labels, groups = blended.rows.labels, blended.rows.groups
        rng = np.random.default_rng(derive_seed(wishes.seed, "thresholds", candidate.name))
        started = time.perf_counter()
        decider = (candidate.final_rule or candidate.rule).fit(labels, blended.probabilities, groups, rng)
        seconds = time.perf_counter() - started
        is_chosen = candidate.name == wishes.thresholds
        if is_chosen:
            in_sample, cross_fitted = scores.in_sample, scores.cross_fitted
        else:
            in_sample = wishes.metric.score(labels, decider(blended.probabilities))
            cross_fitted = _cross_fitted(candidate.rule, blended, wishes=wishes)
        results.append(RuleResult(candidate.name, candidate.title, in_sample, cross_fitted, seconds, is_chosen))
    return results


def _cross_fitted(rule: DecisionRule, blended: Blended, *, wishes: BlendWishes) -> float:
    labels, groups = blended.rows.labels, blended.rows.groups
    decisions = np.zeros(labels.shape, dtype=np.bool_)
    for number, (held_out, probabilities) in enumerate(blended.by_fold):
        seen = ~held_out
        rng = np.random.default_rng(derive_seed(wishes.seed, "thresholds", "fold", number))
        kept: NDArray[Any] | None = None if groups is None else groups[seen]
        decider = rule.fit(labels[seen], probabilities[seen], kept, rng)
        decisions[held_out] = decider(probabilities[held_out])
    return wishes.metric.score(labels, decisions)
