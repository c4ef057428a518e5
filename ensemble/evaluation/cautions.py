"""What a reader of the scores must know, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ensemble.blending import Source, find_copies
from ensemble.curves import ClassCurve
from ensemble.errors import first_few
from ensemble.evaluation.curves import STEEP_LOSS, steep_losses
from ensemble.evaluation.rows import LabelledRows
from ensemble.results import ClassResult, MemberResult, Scores
from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE

FEW_POSITIVE_GROUPS = 25
LARGEST_RATE_RATIO = 1.5
CHANCE = 3.0
"""So many standard errors apart two rates are not by chance, one of many classes allowed for."""
CLEARLY_BETTER = 0.005


def cautions(
    source: Source, *, rows: LabelledRows, classes: Sequence[ClassResult], rates_matched: bool = False
) -> list[str]:
    """All warnings, the gravest first.

    Args:
        source: Members and rows.
        rows: The training rows.
        classes: The blend's results.
        rates_matched: Whether as many test rows are called positive as training rows are, because that was asked for.
    """
    return [
        *source.warnings,
        *_epochs_picked(source),
        *settings_searched(source),
        *_without_labels(classes),
        *_never_called(classes),
        *_holdout_without_positives(source),
        *_rare(rows, classes, source.n_folds),
        *(() if rates_matched else _other_rates(source, rows, classes)),
        *_copies(source),
    ]


def better_alone(members: Sequence[MemberResult], blend: Scores) -> Iterator[str]:
    """A sentence if the best member alone scores clearly higher than the blend: some of the others may harm it.

    Args:
        members: Each on its own.
        blend: Of all of them.
    """
    # A member whose epoch was picked on these rows cannot be compared with the others.
    comparable = [member for member in members if not member.epoch_picked]
    if not comparable:
        return
    best = max(comparable, key=lambda member: member.scores.cross_fitted)
    alone = best.scores.cross_fitted
    if alone > blend.cross_fitted + CLEARLY_BETTER:
        yield (
            f"{best.name!r} alone scores {alone:.4f} cross-fitted, the blend {blend.cross_fitted:.4f}: weaker members "
            "may harm it. Name members to blend a choice of them; a choice made by these scores is flattered by them, "
            "the holdout's score is not"
        )


def steep(curves: Iterable[ClassCurve]) -> Iterator[str]:
    """A sentence if thresholds lie where F falls steeply: a slightly different one costs much.

    Args:
        curves: Of a metric of which each class's own best threshold is the best.
    """
    found = [(curve, steep_losses(curve)) for curve in curves]
    if on_edge := [f"{curve.name} ({lost:.3f})" for curve, lost in found if lost > STEEP_LOSS]:
        yield (
            f"F falls steeply beside the threshold of {', '.join(on_edge)}: so much is lost in sample if it moves by "
            "a quarter of a logit"
        )


def _epochs_picked(source: Source) -> Iterator[str]:
    if names := [member.name for member in source.members if member.epoch_picked]:
        yield (
            f"epoch picked on these rows: {_listed(names)} (training.select: best_on_fold). The out-of-fold scores "
            "of these members, and of a blend with them, are flattered; the holdout's is not"
        )


def settings_searched(source: Source) -> Iterator[str]:
    """A sentence if ``tune`` chose settings, most likely on some of these rows.

    Args:
        source: Members.
    """
    if names := [member.name for member in source.members if member.searched]:
        yield (
            f"settings found by tune: {_listed(names)}. If it searched on rows of this dataset, all scores of these "
            "members, and of a blend with them, are flattered: a little where trials were few and rows many. The "
            "holdout's is not"
        )


def _without_labels(classes: Sequence[ClassResult]) -> Iterator[str]:
    """What thresholds mean for them depends on the rule: some look at no single class."""
    if found := [result for result in classes if not result.labelled]:
        never = ", and never called positive" if _all_at(found, NONE_POSITIVE) else ""
        yield f"no row is labelled for {_named(found)}: left out of every mean{never}"
    if found := [result for result in classes if result.labelled and not result.positives]:
        never = "never called positive, and " if _all_at(found, NONE_POSITIVE) else ""
        yield f"no training row is positive for {_named(found)}: {never}F1 counts as 0"
    if found := [result for result in classes if result.labelled and result.positives == result.labelled]:
        always = "called positive everywhere, so " if _all_at(found, ALL_POSITIVE) else ""
        yield f"no training row is negative for {_named(found)}: {always}F1 says nothing"


def _all_at(classes: Sequence[ClassResult], threshold: float) -> bool:
    return all(result.threshold == threshold for result in classes)


def _named(classes: Sequence[ClassResult]) -> str:
    return _listed([result.name for result in classes])


def _never_called(classes: Sequence[ClassResult]) -> Iterator[str]:
    if names := [result.name for result in classes if result.positives and not result.tp + result.fp]:
        yield f"cross-fitted, no row is called positive for {_listed(names)}: F1 is 0"


def _holdout_without_positives(source: Source) -> Iterator[str]:
    labels = source.holdout_labels
    if labels is None or "holdout" not in source.members[0].tables:
        return
    pairs = zip(source.class_names, labels.T, strict=True)
    empty = [(name, bool(np.isnan(column).all())) for name, column in pairs if not (column == 1).any()]
    if names := [name for name, unlabelled in empty if unlabelled]:
        yield f"no holdout row is labelled for {_listed(names)}: left out of the holdout's mean"
    if names := [name for name, unlabelled in empty if not unlabelled]:
        yield f"no holdout row is positive for {_listed(names)}: the holdout's F1 of it counts as 0, whatever is called"


def _rare(rows: LabelledRows, classes: Sequence[ClassResult], n_folds: int) -> Iterator[str]:
    unit = "images" if rows.groups is None else "groups"
    present = [result for result in classes if result.positives]
    rarer = [result for result in present if result.positive_groups < n_folds]
    few = [result for result in present if n_folds <= result.positive_groups < FEW_POSITIVE_GROUPS]
    for chosen, meaning in (
        (rarer, f"fewer positive {unit} than the {n_folds} folds: some folds have none to score"),
        (few, f"fewer than {FEW_POSITIVE_GROUPS} positive {unit}: threshold and F1 are unstable"),
    ):
        if chosen:
            counted = ", ".join(f"{result.name} ({result.positive_groups})" for result in chosen)
            yield f"{counted}: {meaning}"


def _other_rates(source: Source, rows: LabelledRows, classes: Sequence[ClassResult]) -> Iterator[str]:
    """Decisions are compared with decisions: thresholds for F1 seldom call as many positive as are."""
    tests = source.tables("test")
    n_test = len(next(iter(tests.values()))) if tests else 0
    a_group = len(rows.labels) / (rows.n_groups() or len(rows.labels))
    if differing := [result for result in classes if _differs(result, n_test=n_test, a_group=a_group)]:
        shown = ", ".join(
            f"{result.name} ({result.test_rate:.2%} of test rows, {_called(result):.2%} in training)"
            for result in differing
        )
        yield (
            f"called positive on the test rows at another rate than in training (cross-fitted), by more than "
            f"×{LARGEST_RATE_RATIO} and by more than chance: {shown}. The test rows may differ, or the threshold does "
            "not carry over"
        )


def _called(result: ClassResult) -> float:
    """Share of the labelled training rows that cross-fitted decisions call positive."""
    return (result.tp + result.fp) / result.labelled


def _differs(result: ClassResult, *, n_test: int, a_group: float) -> bool:
    """Whether the rates differ by more than the ratio, and by more than chance.

    Args:
        result: Classes without a positive are warned of elsewhere.
        n_test: Test rows.
        a_group: Mean number of rows of a group, which are taken to be decided alike.
    """
    if not result.positives or result.test_rate is None:
        return False
    low, high = sorted([_called(result), result.test_rate])
    if high <= LARGEST_RATE_RATIO * low:
        return False
    both = (_called(result) * result.labelled + result.test_rate * n_test) / (result.labelled + n_test)
    error = math.sqrt(a_group * both * (1 - both) * (1 / result.labelled + 1 / n_test))
    return high - low > CHANCE * error


def _copies(source: Source) -> Iterator[str]:
    for copy in find_copies(source.tables("oof")):
        classes = "" if copy.whole else f" in {_listed(copy.class_names)}"
        where = "are copies of one another" if copy.whole else f"are identical{classes}"
        if copy.rescaled:
            where = f"put all rows into the same order{classes}, as one rescaled would"
        yield f"members {copy.first!r} and {copy.second!r} {where}: the same opinion counts twice"


def _listed(names: Sequence[str]) -> str:
    return first_few(names, limit=8)
