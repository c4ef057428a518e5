"""The members of a blend: each on its own, how alike they err, and who is missed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Member, Source, mean_of_probabilities, uniform_weights
from ensemble.blending.leave_one_out import means_without_each
from ensemble.evaluation.blend_scores import holdout_score
from ensemble.evaluation.crossfit import cross_fit, decider_on_all
from ensemble.evaluation.likeness import error_correlations
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.wishes import BlendWishes
from ensemble.predictions import PredictionTable
from ensemble.results import Absence, Likeness, MemberResult, Scores
from ensemble.thresholds import Decider, DecisionRule, decision_rule, rule_title, threshold_rule

_LARGE_CELLS = 3_000_000
"""Members x rows x classes from which on members are scored by the quickest rule, and likeness is left out."""


def member_results(
    source: Source, rows: LabelledRows, wishes: BlendWishes, *, weights: NDArray[np.float64]
) -> tuple[tuple[MemberResult, ...], str]:
    """Each member on its own, treated as if it were the blend; and the title of the rule that chose its thresholds.

    Args:
        source: M members.
        rows: The N training rows.
        wishes: The metric and the threshold rule; of many numbers members get the exact rule, which is quick.
        weights: Shape (M,), of the members in the blend.
    """
    name = "exact" if _is_large(source) else wishes.thresholds
    if wishes.thresholds == "optuna" or (wishes.metric.name == "sample_f1" and name == "auto"):
        name = "exact"
    rule = decision_rule(name, metric=wishes.metric, label_rules=wishes.label_rules(source.class_names))
    with ThreadPoolExecutor(2) as pool:  # nearly all of it is NumPy, which lets threads run
        scores = pool.map(lambda member: _scores(source, rows, wishes, rule, member), source.members)
        found = zip(source.members, weights.tolist(), scores, strict=True)
        results = tuple(MemberResult(one.name, weight, its, one.epoch_picked) for one, weight, its in found)
    return results, rule_title(name)


def _is_large(source: Source) -> bool:
    return len(source.members) * source.labels.size > _LARGE_CELLS


def _scores(source: Source, rows: LabelledRows, wishes: BlendWishes, rule: DecisionRule, member: Member) -> Scores:
    metric, labels = wishes.metric, rows.labels
    probabilities = member.tables["oof"].probabilities()
    decider = decider_on_all(rule, probabilities, rows=rows, seed=wishes.seed)
    at_half = Decider(np.full(labels.shape[1], 0.5), decider.label_rules)
    return Scores(
        cross_fitted=metric.score(labels, cross_fit(rule, probabilities, rows=rows, seed=wishes.seed).decisions),
        in_sample=metric.score(labels, decider(probabilities)),
        at_half=metric.score(labels, at_half(probabilities)),
        holdout=holdout_score(source, wishes, decider, member.tables),
    )


def likeness_of(source: Source, rows: LabelledRows, wishes: BlendWishes) -> Likeness | None:
    """How alike members err, and what the plain mean loses without each; None for one member, or too many numbers."""
    if len(source.members) < 2 or _is_large(source):
        return None
    rule = threshold_rule("exact", metric=wishes.metric)

    def score(table: PredictionTable) -> float:
        decisions = cross_fit(rule, table.probabilities(), rows=rows, seed=wishes.seed).decisions
        return wishes.metric.score(rows.labels, decisions)

    tables = list(source.tables("oof").values())
    whole = score(mean_of_probabilities(tables, uniform_weights(len(tables))))
    without = [score(table) for table in means_without_each(tables)]
    names = [member.name for member in source.members]
    alike = error_correlations(rows.labels, [table.probabilities() for table in tables])
    return Likeness(
        tuple(tuple(row) for row in np.asarray(alike).tolist()),
        tuple(Absence(name, one, whole - one) for name, one in zip(names, without, strict=True)),
    )
