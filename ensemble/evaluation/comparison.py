"""From joined members to a ranking, and to what can be said of it: differences, likeness, who is missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Member, Source, mean_of_probabilities, uniform_weights
from ensemble.blending.leave_one_out import means_without_each
from ensemble.evaluation.bootstrap import bootstrap_macro_f1, interval_of
from ensemble.evaluation.comparison_cautions import comparison_cautions
from ensemble.evaluation.crossfit import cross_fit, fit_on_all
from ensemble.evaluation.likeness import disagreements, error_correlations
from ensemble.evaluation.member_facts import read_facts
from ensemble.evaluation.resampling import RESAMPLES
from ensemble.evaluation.rows import LabelledRows
from ensemble.metrics import (
    label_accuracy,
    macro_auroc,
    macro_average_precision,
    macro_f1,
    macro_log_loss,
    subset_accuracy,
)
from ensemble.predictions import PredictionTable
from ensemble.results import Interval, Rows
from ensemble.runs import DatasetRuns
from ensemble.standings import Absence, Comparison, MemberFacts, Pair, Standing
from ensemble.thresholds import ExactThresholds, decide

_RULE = ExactThresholds()


def compare_members(source: Source, runs: DatasetRuns, *, n_resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Rank members, and say what the ranking is worth.

    All differences are taken on the same resamples of groups.

    Args:
        source: Members and the rows they are scored on.
        runs: Where their recipes and runs are.
        n_resamples: Of the bootstrap.
        seed: Its only source of chance.

    Raises:
        RecipeError: A stored recipe cannot be read.
        ArtefactError: A ``run.json`` is missing or damaged.
        DataError: The training rows have no labels.
    """
    rows = LabelledRows(source.labels, source.folds, source.groups)
    facts = {m.name: read_facts(runs.member(m.name), n_folds=source.n_folds) for m in source.members}
    ranked = sorted((_decided(rows, member) for member in source.members), key=lambda one: (-one.score, one.name))
    systems = [*ranked, *_blends(rows, ranked)]
    resampled = bootstrap_macro_f1(
        rows.labels, [one.decisions for one in systems], groups=rows.groups, n_resamples=n_resamples, seed=seed
    )
    ranking = _Ranking(rows, systems, resampled, len(ranked))
    pairs = ranking.pairs()
    return Comparison(
        rows=_describe(source, rows),
        standings=tuple(ranking.standing(place, facts[one.name]) for place, one in enumerate(ranked)),
        blend=ranking.score(len(ranked)) if len(ranked) > 1 else None,
        blend_gain=ranking.difference(len(ranked), 0) if len(ranked) > 1 else None,
        pairs=tuple(pairs.values()),
        neighbours=tuple(pair for (upper, lower), pair in pairs.items() if lower == upper + 1),
        absences=tuple(ranking.absences()),
        n_resamples=n_resamples,
        skipped=source.skipped,
        warnings=tuple(comparison_cautions(source, rows=rows, facts=facts)),
    )


@dataclass(frozen=True, eq=False)
class _System:
    """A member, or a blend, and what it decides of the out-of-fold rows, cross-fitted."""

    name: str
    table: PredictionTable
    decisions: NDArray[np.bool_]
    score: float
    epoch_picked: bool = False


def _decided(rows: LabelledRows, member: Member) -> _System:
    return _system(rows, member.name, member.tables["oof"], epoch_picked=member.epoch_picked)


def _system(rows: LabelledRows, name: str, table: PredictionTable, *, epoch_picked: bool = False) -> _System:
    decisions = cross_fit(_RULE, table.probabilities(), rows=rows).decisions
    return _System(name, table, decisions, macro_f1(rows.labels, decisions), epoch_picked)


def _blends(rows: LabelledRows, ranked: Sequence[_System]) -> list[_System]:
    """The blend of all, then the blend without each; nothing for a single member."""
    tables = [one.table for one in ranked]
    if len(tables) < 2:
        return []
    whole = mean_of_probabilities(tables, uniform_weights(len(tables)))
    return [_system(rows, "", table) for table in (whole, *means_without_each(tables))]


@dataclass(frozen=True, eq=False)
class _Ranking:
    """Systems and their macro-F1 on the same resamples: M members from the top, the blend, the blend without each.

    Attributes:
        resampled: Shape (2 M + 1, B); (1, B) for a single member.
        n_members: M.
    """

    rows: LabelledRows
    systems: Sequence[_System]
    resampled: NDArray[np.float64]
    n_members: int

    def score(self, place: int) -> Interval:
        return interval_of(self.systems[place].score, self.resampled[place])

    def difference(self, place: int, other: int) -> Interval:
        point = self.systems[place].score - self.systems[other].score
        return interval_of(point, self.resampled[place] - self.resampled[other])

    def standing(self, place: int, facts: MemberFacts) -> Standing:
        one, labels = self.systems[place], self.rows.labels
        probabilities = one.table.probabilities()
        at_half = decide(probabilities, np.full(labels.shape[1], 0.5))
        return Standing(
            name=one.name,
            facts=facts,
            cross_fitted=self.score(place),
            in_sample=macro_f1(labels, decide(probabilities, fit_on_all(_RULE, probabilities, rows=self.rows))),
            at_half=macro_f1(labels, at_half),
            subset_accuracy=subset_accuracy(labels, at_half),
            label_accuracy=label_accuracy(labels, at_half),
            auroc=macro_auroc(labels, probabilities),
            average_precision=macro_average_precision(labels, probabilities),
            log_loss=macro_log_loss(labels, probabilities),
            behind_best=self.difference(0, place) if place else None,
            epoch_picked=one.epoch_picked,
        )

    def pairs(self) -> dict[tuple[int, int], Pair]:
        """By the places of both, the better one first."""
        members = self.systems[: self.n_members]
        alike = error_correlations(self.rows.labels, [one.table.probabilities() for one in members])
        apart = disagreements(self.rows.labels, [one.decisions for one in members])
        return {
            (a, b): Pair(
                members[a].name, members[b].name, self.difference(a, b), float(alike[a, b]), float(apart[a, b])
            )
            for a, b in combinations(range(self.n_members), 2)
        }

    def absences(self) -> list[Absence]:
        blend = self.n_members
        return [
            Absence(self.systems[place].name, without.score, self.difference(blend, blend + 1 + place))
            for place, without in enumerate(self.systems[blend + 1 :])
        ]


def _describe(source: Source, rows: LabelledRows) -> Rows:
    return Rows(
        dataset=source.name,
        n_train=len(rows.labels),
        n_holdout=0,  # compared on out-of-fold rows alone: a holdout that picks among members is none
        n_test=0,
        n_folds=source.n_folds,
        n_groups=rows.n_groups(),
        groups_source=source.groups_source,
        holdout_in_folds=source.holdout_in_folds,
    )
