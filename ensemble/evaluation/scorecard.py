"""From joined members to everything that the report says of their blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Member, Source, mean_of_probabilities, uniform_weights
from ensemble.evaluation.cautions import better_alone, cautions
from ensemble.evaluation.classes import class_results
from ensemble.evaluation.crossfit import cross_fit, fit_on_all
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import Candidate, candidates, try_rules
from ensemble.evaluation.wishes import BlendWishes, check_wishes
from ensemble.metrics import macro_f1
from ensemble.oracle import oracle_macro_f1
from ensemble.predictions import PredictionTable
from ensemble.results import BlendResult, MemberResult, Rows, Scores
from ensemble.runs import SPLITS, BlendPaths
from ensemble.thresholds import decide

CHOSEN_RULE = "exact"


@dataclass(frozen=True, eq=False)
class Scorecard:
    """A blend, decided and scored.

    Attributes:
        result: What the report shows.
        weights: Shape (M,), of the members.
        thresholds: Shape (C,), float64, the final ones.
        tables: The blended table of each split that all members have. Thresholds were chosen on ``oof``.
    """

    result: BlendResult
    weights: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    tables: Mapping[str, PredictionTable]

    def test_decisions(self) -> NDArray[np.bool_] | None:
        """Shape (N of test, C), in the order of the blended test table; None without test rows."""
        return decide(self.tables["test"].probabilities(), self.thresholds) if "test" in self.tables else None


def score_blend(source: Source, wishes: BlendWishes | None = None, *, paths: BlendPaths | None = None) -> Scorecard:
    """Average the members, choose thresholds, and score all of it.

    Args:
        source: Members and the rows they are scored on.
        wishes: What is maximised and by which rules; None: ``BlendWishes()``.
        paths: Where the Optuna studies are kept; None: nowhere.

    Raises:
        DataError: The wishes cannot be met.
    """
    wishes = wishes or BlendWishes()
    check_wishes(wishes)
    seed = wishes.seed
    rows = LabelledRows(source.labels, source.folds, source.groups)
    weights = uniform_weights(len(source.members))
    tables = _blended(source, weights)
    probabilities = tables["oof"].probabilities()
    tried = candidates(source.class_names, trials=wishes.trials, paths=paths)
    rule = next(candidate for candidate in tried if candidate.name == CHOSEN_RULE).rule
    thresholds = fit_on_all(rule, probabilities, rows=rows, seed=seed)
    fitted = cross_fit(rule, probabilities, rows=rows, seed=seed)
    scorer = _Scorer(source, rows, tried, seed)
    classes = class_results(source.class_names, rows, fitted=fitted, thresholds=thresholds, tables=tables)
    members = [scorer.member(member, weight) for member, weight in zip(source.members, weights.tolist(), strict=True)]
    scores = scorer.scores(tables)
    result = BlendResult(
        rows=_describe(source, rows, tables),
        class_names=source.class_names,
        members=tuple(members),
        skipped=source.skipped,
        scores=scores,
        best_possible=_best_possible(source),
        rules=tuple(try_rules(tried, probabilities, rows=rows, chosen=CHOSEN_RULE, seed=seed)),
        classes=tuple(classes),
        warnings=(*cautions(source, rows=rows, classes=classes), *better_alone(members, scores)),
    )
    return Scorecard(result, weights, thresholds, tables)


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Scores a blend, or a member as if it were one, by the chosen rule."""

    source: Source
    rows: LabelledRows
    tried: Sequence[Candidate]
    seed: int

    def member(self, member: Member, weight: float) -> MemberResult:
        return MemberResult(member.name, weight, self.scores(member.tables), member.epoch_picked)

    def scores(self, tables: Mapping[str, PredictionTable]) -> Scores:
        rule = next(candidate for candidate in self.tried if candidate.name == CHOSEN_RULE).rule
        labels, probabilities = self.rows.labels, tables["oof"].probabilities()
        thresholds = fit_on_all(rule, probabilities, rows=self.rows, seed=self.seed)
        return Scores(
            cross_fitted=macro_f1(labels, cross_fit(rule, probabilities, rows=self.rows, seed=self.seed).decisions),
            in_sample=macro_f1(labels, decide(probabilities, thresholds)),
            at_half=macro_f1(labels, decide(probabilities, np.full(labels.shape[1], 0.5))),
            holdout=self._holdout(tables, thresholds),
        )

    def _holdout(self, tables: Mapping[str, PredictionTable], thresholds: NDArray[np.float64]) -> float | None:
        labels = self.source.holdout_labels
        if labels is None or "holdout" not in tables:
            return None
        return macro_f1(labels, decide(tables["holdout"].probabilities(), thresholds))


def _blended(source: Source, weights: NDArray[np.float64]) -> dict[str, PredictionTable]:
    notes = {
        "members": ", ".join(member.name for member in source.members),
        "folds_sha256": source.origin.get("folds_sha256", ""),
    }
    return {
        split: mean_of_probabilities(
            [member.tables[split] for member in source.members], weights, notes={**notes, "split": split}
        )
        for split in SPLITS
        if all(split in member.tables for member in source.members)
    }


def _describe(source: Source, rows: LabelledRows, tables: Mapping[str, PredictionTable]) -> Rows:
    return Rows(
        dataset=source.name,
        n_train=len(rows.labels),
        n_holdout=len(tables["holdout"]) if "holdout" in tables else 0,
        n_test=len(tables["test"]) if "test" in tables else 0,
        n_folds=source.n_folds,
        n_groups=rows.n_groups(),
        groups_source=source.groups_source,
        holdout_in_folds=source.holdout_in_folds,
        scored_by_fold_models=source.scored_by_fold_models,
    )


def _best_possible(source: Source) -> float | None:
    known = source.true_probabilities
    return None if known is None else oracle_macro_f1(source.labels, known)
