"""From joined members to everything that the report says of their blend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import COMBINATIONS, MemberStack, Source, combination_rule, rows_by_id, stack_members
from ensemble.cores import one_blas_thread
from ensemble.curves import ClassCurve
from ensemble.evaluation.blend_scores import blend_scores
from ensemble.evaluation.cautions import better_alone, cautions, steep
from ensemble.evaluation.chain import Chain, ChainRule, FittedChain, decide_folds, fit_folds
from ensemble.evaluation.chooser import AutoChain, ChosenChain
from ensemble.evaluation.classes import class_results
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.curves import class_curves
from ensemble.evaluation.member_scores import likeness_of, member_results
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import blend_folds, candidates, try_rules
from ensemble.evaluation.unlabelled import decide_test_rows, flag_for_test_rows, thresholds_for_test
from ensemble.evaluation.wishes import AUTO_NAME, BlendWishes, check_wishes
from ensemble.oracle import oracle_macro_f1
from ensemble.predictions import PredictionTable
from ensemble.results import BlendResult, Choice, Rows
from ensemble.runs import SPLITS, BlendPaths
from ensemble.thresholds import ExactThresholds, decision_rule, rule_title

_JUDGED_EXACTLY_CELLS = 50_000
"""From so many labels on, ``auto`` compares combinations by exact thresholds: with many rows the rules agree."""


@dataclass(frozen=True, eq=False)
class Scorecard:
    """A blend, decided and scored.

    Attributes:
        result: What the report shows.
        wishes: What was asked for.
        chain: From members to decisions, fitted on all training rows.
        tables: The blended table of each split that all members have. Thresholds were chosen on ``oof``.
        cross_fitted: The decisions that the score to believe is of, and the thresholds of each fold.
        curves: How F depends on the threshold, of each class that has both positive and negative rows.
        test_thresholds: Shape (C,): those of the test rows, where a flag asked for their own; None: ``thresholds``.
    """

    result: BlendResult
    wishes: BlendWishes
    chain: FittedChain
    tables: Mapping[str, PredictionTable]
    cross_fitted: CrossFit
    curves: tuple[ClassCurve, ...]
    test_thresholds: NDArray[np.float64] | None = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """Shape (M,), of the members."""
        return self.chain.combination.weights

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Shape (C,), float64, the final ones."""
        return self.chain.thresholds

    def test_decisions(self) -> NDArray[np.bool_] | None:
        """Shape (N of test, C), in the order of the blended test table; None without test rows."""
        if "test" not in self.tables:
            return None
        return decide_test_rows(self.chain.decider, self.test_thresholds, self.tables["test"])


def score_blend(source: Source, wishes: BlendWishes | None = None, *, paths: BlendPaths | None = None) -> Scorecard:
    """Combine the members, choose thresholds, and score all of it, choices included, on rows that chose nothing.

    In which order the rows come changes nothing: everything is computed in the order of their ids.

    Args:
        source: Members and the rows they are scored on.
        wishes: What is maximised and by which rules; None: ``BlendWishes()``.
        paths: Where the Optuna studies are kept; None: nowhere.

    Raises:
        DataError: The wishes cannot be met.
    """
    wishes = wishes or BlendWishes()
    check_wishes(wishes)
    ordered, place = rows_by_id(source)
    with one_blas_thread():
        card = _score_blend(ordered, wishes, paths)
    return card if ordered is source else _in_order(card, place)


def _in_order(card: Scorecard, place: NDArray[np.intp]) -> Scorecard:
    """The card with its training rows in the order in which they were given; ``place`` as from ``rows_by_id``."""
    found = replace(card.cross_fitted, decisions=card.cross_fitted.decisions[place])
    return replace(card, tables={**card.tables, "oof": card.tables["oof"].rows(place)}, cross_fitted=found)


def _score_blend(source: Source, wishes: BlendWishes, paths: BlendPaths | None) -> Scorecard:
    rows = LabelledRows(source.labels, source.folds, source.groups)
    stack = stack_members(source.tables("oof"))
    rule = _chain_rule(wishes, source, rows, paths)
    folds = fit_folds(rule, stack, rows=rows, seed=wishes.seed)
    chain = rule.fit(stack, rows, wishes.seed)  # last: the study that it keeps is the one of all rows
    fitted = decide_folds(folds, stack)
    tables = _blended(source, chain)
    scores = blend_scores(source, rows, wishes, chain=chain, fitted=fitted, tables=tables)
    blended = blend_folds(folds, stack, rows=rows, probabilities=tables["oof"].probabilities())
    tried = candidates(wishes, source.class_names, paths=paths)
    found = try_rules(tried, blended, wishes=wishes, scores=scores)
    curves = _curves(source, rows, wishes, chain=chain, fitted=fitted, probabilities=tables["oof"].probabilities())
    steeply = steep(curves) if wishes.metric.splits_by_class else ()
    own = thresholds_for_test(source, wishes, chain=chain, tables=tables)
    classes = class_results(
        source.class_names,
        rows,
        fitted=fitted,
        decider=chain.decider,
        tables=tables,
        test_decisions=decide_test_rows(chain.decider, own, tables["test"]) if "test" in tables else None,
    )
    members, by = member_results(source, rows, wishes, weights=chain.combination.weights)
    told = cautions(source, rows=rows, classes=classes, rates_matched=wishes.match_test_rate)
    result = BlendResult(
        rows=_describe(source, rows, tables),
        choice=replace(_choice(wishes, chain, own), member_rule_title=by),
        class_names=source.class_names,
        members=members,
        skipped=source.skipped,
        scores=scores,
        best_possible=_best_possible(source, wishes),
        rules=tuple(found),
        classes=tuple(classes),
        warnings=(*told, *steeply, *better_alone(members, scores)),
        class_weights=_class_weights(chain, stack),
        likeness=likeness_of(source, rows, wishes),
    )
    return Scorecard(result, wishes, chain, tables, fitted, curves, own)


def _chain_rule(wishes: BlendWishes, source: Source, rows: LabelledRows, paths: BlendPaths | None) -> ChainRule:
    decide = decision_rule(wishes.thresholds, metric=wishes.metric, label_rules=wishes.label_rules(source.class_names))
    if wishes.combine != AUTO_NAME:
        journal = None if paths is None else paths.journal("weights")
        trials = max(1, wishes.trials)
        return Chain(combination_rule(wishes.combine, metric=wishes.metric, trials=trials, journal=journal), decide)
    quick = wishes.metric.splits_by_class and rows.labels.size >= _JUDGED_EXACTLY_CELLS
    judge = ExactThresholds(wishes.metric.beta) if quick else None
    return AutoChain(decide, metric=wishes.metric, judge=judge, seed=wishes.seed)


def _curves(
    source: Source,
    rows: LabelledRows,
    wishes: BlendWishes,
    *,
    chain: FittedChain,
    fitted: CrossFit,
    probabilities: NDArray[np.float64],
) -> tuple[ClassCurve, ...]:
    names, beta = source.class_names, wishes.metric.beta
    return class_curves(names, rows, probabilities=probabilities, fitted=fitted, thresholds=chain.thresholds, beta=beta)


def _blended(source: Source, chain: FittedChain) -> dict[str, PredictionTable]:
    notes = {
        "members": ", ".join(member.name for member in source.members),
        "folds_sha256": source.origin.get("folds_sha256", ""),
    }
    tables = {}
    for split in SPLITS:
        members = source.tables(split)
        if members:
            first = next(iter(members.values()))
            values = chain.combination(stack_members(members))
            told = {**notes, "split": split}
            tables[split] = PredictionTable(first.image_ids, first.class_names, values, folds=first.folds, notes=told)
    return tables


def _choice(wishes: BlendWishes, chain: FittedChain, own: NDArray[np.float64] | None) -> Choice:
    name = chain.combination.name
    return Choice(
        metric=wishes.metric.name,
        metric_title=wishes.metric.title,
        combine=name,
        combine_title=COMBINATIONS[name],
        asked_combine=wishes.combine,
        tried=chain.tried if isinstance(chain, ChosenChain) else (),
        thresholds=wishes.thresholds,
        thresholds_title=rule_title(wishes.thresholds),
        at_least_one=wishes.at_least_one,
        exclusive=wishes.exclusive,
        by_image=chain.decider.expected is not None,
        test_thresholds_by=None if own is None else flag_for_test_rows(wishes),
    )


def _class_weights(chain: FittedChain, stack: MemberStack) -> dict[str, tuple[float, ...]] | None:
    weights = chain.combination.class_weights
    return (
        None if weights is None else {name: tuple(row.tolist()) for name, row in zip(stack.names, weights, strict=True)}
    )


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


def _best_possible(source: Source, wishes: BlendWishes) -> float | None:
    known = source.true_probabilities
    return None if known is None or wishes.metric.name != "macro_f1" else oracle_macro_f1(source.labels, known)
