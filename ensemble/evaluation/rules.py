"""The threshold search report: every rule on the same rows, in sample and cross-fitted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ensemble.evaluation.crossfit import cross_fit, fit_on_all
from ensemble.evaluation.rows import LabelledRows
from ensemble.metrics import macro_f1
from ensemble.results import RuleResult
from ensemble.runs import BlendPaths
from ensemble.thresholds import (
    ExactThresholds,
    FixedThreshold,
    GlobalThreshold,
    OptunaThresholds,
    ThresholdRule,
    decide,
)

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
    rule: ThresholdRule
    final_rule: ThresholdRule | None = None


def candidates(class_names: Sequence[str], *, trials: int, paths: BlendPaths | None = None) -> list[Candidate]:
    """The rules of the search report.

    Args:
        class_names: As the Optuna study shall name the thresholds.
        trials: Of each Optuna study; 0 leaves these out.
        paths: Where the studies over all rows are kept; None: nowhere.
    """
    exact = ExactThresholds()
    tried = [
        Candidate("fixed", "fixed 0.5", FixedThreshold(0.5)),
        Candidate("global", "one for all classes", GlobalThreshold()),
        Candidate("exact", "exact, per class", exact),
    ]
    starts: dict[str, ThresholdRule | None] = {"cold": None, "warm": exact}
    for study, title in STUDIES.items() if trials else ():
        start = starts[study]
        rule = OptunaThresholds(trials, start, tuple(class_names))
        journal = None if paths is None else paths.journal(study)
        kept = OptunaThresholds(trials, start, tuple(class_names), journal)
        tried.append(Candidate(f"optuna_{study}", f"{title}, {trials} trials", rule, kept))
    return tried


def try_rules(
    tried: Sequence[Candidate], probabilities: NDArray[Any], *, rows: LabelledRows, chosen: str, seed: int = 0
) -> list[RuleResult]:
    """Score every candidate.

    Args:
        tried: The rules.
        probabilities: Shape (N, C), out-of-fold.
        rows: Their labels, folds and groups.
        chosen: The name of the rule whose thresholds the blend uses.
        seed: The rules' only source of chance.
    """
    results = []
    for candidate in tried:
        cross_fitted = macro_f1(rows.labels, cross_fit(candidate.rule, probabilities, rows=rows, seed=seed).decisions)
        started = time.perf_counter()
        thresholds = fit_on_all(candidate.final_rule or candidate.rule, probabilities, rows=rows, seed=seed)
        seconds = time.perf_counter() - started
        in_sample = macro_f1(rows.labels, decide(probabilities, thresholds))
        is_chosen = candidate.name == chosen
        results.append(RuleResult(candidate.name, candidate.title, in_sample, cross_fitted, seconds, is_chosen))
    return results
