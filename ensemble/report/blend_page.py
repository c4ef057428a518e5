"""A blend's page: the threshold search report, the score to believe first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ensemble.curves import ClassCurve
from ensemble.report import blend_figures as figures
from ensemble.report import blend_tables as tables
from ensemble.report import blend_words as words
from ensemble.report.cells import NOTHING, over_folds, score, short_span, threshold
from ensemble.report.html import Section, render, write_html
from ensemble.results import BlendResult, ClassResult

if TYPE_CHECKING:
    from markupsafe import Markup

KIND = "blend"
MOST_FIGURES = 30
"""So many classes get figures of their own; all of them are in the tables."""


def write_blend_page(path: Path, result: BlendResult, curves: Sequence[ClassCurve], *, remarks: Sequence[str]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The file.
        result: Everything that was found out.
        curves: Of the classes that have one, with their bands.
        remarks: How the tables were read, in words.
    """
    write_html(
        path,
        kind=KIND,
        title=f"Threshold search: {result.rows.dataset}",
        lead=_lead(result),
        sections=list(_sections(result, curves, remarks)),
    )


def _lead(result: BlendResult) -> str:
    grouped = "" if result.rows.n_groups is None else "groups: "
    parts = [words.counts(result.rows), f"{grouped}{words.groups(result.rows)}", words.combined(result)]
    return f"{'; '.join([*parts, words.decided(result.choice)])}."


def _sections(result: BlendResult, curves: Sequence[ClassCurve], remarks: Sequence[str]) -> Iterator[Section]:
    shown = _shown(curves)
    yield Section("score", "The score", _score(result))
    yield Section("warnings", "Warnings", _warnings(result, remarks))
    yield Section("tried", "What was tried, and what was chosen", _tried(result))
    yield Section("thresholds", "Classes and thresholds", _thresholds(result, curves))
    if shown:
        yield Section("curves", "Each class against its threshold", _curves(result, curves, shown))
    yield Section("members", "Members", _members(result))
    if result.rows.n_test:
        yield Section("test", "On the test rows", _test(result))
    yield Section("reading", "How to read it", render("blend_reading.html.j2", metric=result.choice.metric))


def _score(result: BlendResult) -> Markup:
    picked = words.epochs_picked(result)
    return render(
        "blend_score.html.j2",
        value=score(result.scores.cross_fitted),
        metric=result.choice.metric_title,
        intervals=list(words.intervals(result)),
        table=tables.score_table(result),
        picked=", ".join(picked),
        gap=words.gap_story(result),
        figure=figures.score_figure(result),
        notes=words.score_notes(result),
    )


def _warnings(result: BlendResult, remarks: Sequence[str]) -> Markup:
    skipped = [f"{name}: {reason}" for name, reason in result.skipped.items()]
    return render("blend_warnings.html.j2", warnings=result.warnings, skipped=skipped, remarks=remarks)


def _tried(result: BlendResult) -> Markup:
    choice = result.choice
    return render(
        "blend_tried.html.j2",
        combination_reason=words.combination_reason(result),
        choice_is_paid_for=words.CHOICE_IS_PAID_FOR,
        combinations=tables.combination_table(result) if choice.tried else None,
        threshold_reason=words.threshold_reason(choice),
        rules=tables.rule_table(result),
        label_rules=words.label_rules(choice),
        notes=words.search_notes(choice),
        studies=choice.combine == "optuna" or any(rule.name.startswith("optuna_") for rule in result.rules),
        n_members=len(result.members),
    )


def _thresholds(result: BlendResult, curves: Sequence[ClassCurve]) -> Markup:
    return render(
        "blend_thresholds.html.j2",
        classes=tables.class_table(result),
        thresholds=tables.threshold_table(result, curves),
        beta=f"F{curves[0].beta:g}" if curves else "F1",
        slack=curves[0].slack if curves else 0,
        label_rules=bool(words.label_rules(result.choice)),
        units=words.units(result.rows),
        of_final_weights=words.OF_FINAL_WEIGHTS,
    )


def _shown(curves: Sequence[ClassCurve]) -> list[ClassCurve]:
    """The classes that get figures: all, or those where most is lost if the threshold moves."""
    losses = np.array([max((move.lost for move in curve.moves), default=0.0) for curve in curves])
    chosen = np.sort(np.argsort(-losses, kind="stable")[:MOST_FIGURES])
    return [curves[place] for place in chosen.tolist()]


def _curves(result: BlendResult, curves: Sequence[ClassCurve], shown: Sequence[ClassCurve]) -> Markup:
    by_name = {row.name: row for row in result.classes}
    parts = [
        {"name": curve.name, "facts": _facts(curve, by_name[curve.name]), "figure": figures.class_figure(curve)}
        for curve in shown
    ]
    return render(
        "blend_curves.html.j2",
        classes=parts,
        left_out=len(curves) - len(shown),
        without=len(result.classes) - len(curves),
        units=words.units(result.rows),
        band=bool(shown[0].band.size),
        n_folds=result.rows.n_folds,
        beta=f"F{shown[0].beta:g}",
    )


def _facts(curve: ClassCurve, row: ClassResult) -> str:
    groups = f" in {row.positive_groups:,} groups" if row.positive_groups != row.positives else ""
    flat = NOTHING if not curve.best else f"{threshold(curve.plateau[0])} – {threshold(curve.plateau[1])}"
    return (
        f"{row.positives:,} positives{groups}; F1 cross-fitted {score(row.f1)} ({short_span(row.f1_ci95)}); "
        f"threshold {threshold(row.threshold)}, over the folds {over_folds(row)}; plateau {flat}"
    )


def _members(result: BlendResult) -> Markup:
    return render(
        "blend_members.html.j2",
        table=tables.member_table(result),
        class_weights=figures.class_weight_figure(result),
        correlations=figures.correlation_figure(result),
        absences=tables.absence_table(result),
        alone=len(result.members) == 1,
    )


def _test(result: BlendResult) -> Markup:
    names = [row.name for row in result.classes][:MOST_FIGURES]
    few = len(names) == len(result.classes)
    return render(
        "blend_test.html.j2",
        table=tables.rate_table(result),
        figure=figures.rate_figure(result, names) if few else None,
        n_test=f"{result.rows.n_test:,}",
        matched=words.matched(result.choice),
    )
