"""The tables of a blend's report on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ensemble.curves import ClassCurve
from ensemble.report import blend_words as words
from ensemble.report.cells import NOTHING, blocks, correlation, over_folds, score, share, short_span, signed, threshold
from ensemble.results import BlendResult, Scores

_USED = "◄ used"
_CURVE_WIDTH = 16
_SHOWN_MOVES = ("−0.25 logit", "+0.25 logit")


def members(result: BlendResult) -> RenderableType:
    """Each member on its own, and the blend."""
    holdout = [] if result.scores.holdout is None else ["holdout"]
    table = _table("Members", "weight", "cross-fitted", "in sample", "at 0.5", *holdout)
    for member in result.members:
        name = Text(f"{member.name} *" if member.epoch_picked else member.name)
        table.add_row(name, f"{member.weight:.3f}", *_in_order(member.scores))
    table.add_row(f"blend{words.mark(result)}", f"{1:.3f}", *_in_order(result.scores), style="bold")
    notes = [f"Members' own thresholds: {result.choice.member_rule_title}."]
    if result.scores.holdout is not None:
        notes.append(words.HOLDOUT_IS_NO_CHOOSER)
    if result.class_weights is not None:
        notes.append("Weights are means over classes, which have their own: see report.html.")
    return Group(table, *(Text(note, style="dim") for note in notes))


def _in_order(scores: Scores) -> list[str]:
    holdout = [] if scores.holdout is None else [scores.holdout]
    return [score(value) for value in (scores.cross_fitted, scores.in_sample, scores.at_half, *holdout)]


def likeness(result: BlendResult) -> RenderableType | None:
    """Who is missed, and whose errors are not those of the others; None where that was not computed."""
    if result.likeness is None:
        return None
    table = _table("Blend without", "cross-fitted", "change", "errors like the others'")
    alike = words.mean_correlations(result.likeness)
    for place in words.most_missed(result.likeness):
        one = result.likeness.absences[place]
        table.add_row(Text(one.name), score(one.cross_fitted), signed(-one.loss), correlation(alike[place]))
    note = "Plain mean, exact thresholds. At the right the mean correlation of errors: the lower, the more it adds."
    return Group(table, Text(note, style="dim"))


def combinations(result: BlendResult) -> RenderableType | None:
    """What ``auto`` compared, and why it took what it took."""
    reason = Text(words.combination_reason(result), style="dim")
    if not result.choice.tried:
        return None if len(result.members) == 1 else reason
    table = _table(f"Combinations{words.mark(result)}", "cross-fitted", "gain", "std. error", "seconds", "", gap=1)
    for number, tried in enumerate(result.choice.tried):
        gained = [signed(tried.gain), score(tried.standard_error)] if number else ["", ""]
        cells = [score(tried.cross_fitted), *gained, f"{tried.seconds:.3f}", _USED if tried.chosen else ""]
        table.add_row(Text(tried.title), *cells, style="bold" if tried.chosen else "")
    return Group(table, reason, Text(words.CHOICE_IS_PAID_FOR, style="dim"))


def threshold_rules(result: BlendResult) -> RenderableType:
    """What was tried on the blend."""
    table = _table(f"Threshold search{words.mark(result)}", "in sample", "cross-fitted", "seconds", "")
    for rule in result.rules:
        table.add_row(
            Text(words.rule_name(rule, result.choice)),
            score(rule.in_sample),
            score(rule.cross_fitted),
            f"{rule.seconds:.4f}",
            _USED if rule.chosen else "",
            style="bold" if rule.chosen else "",
        )
    notes = [words.threshold_reason(result.choice), *words.search_notes(result.choice)]
    return Group(table, *(Text(note, style="dim") for note in notes))


def class_scores(result: BlendResult) -> RenderableType:
    """Each class's F1 and how sure it is."""
    table = _table(f"Classes{words.mark(result)}", "F1", "95 % interval", "in sample", "AUROC", "av. precision")
    for row in result.classes:
        cells = [short_span(row.f1_ci95), score(row.in_sample_f1), score(row.auroc), score(row.average_precision)]
        table.add_row(Text(row.name), Text(score(row.f1), style="bold"), *cells)
    return Group(table, Text(words.OF_FINAL_WEIGHTS, style="dim"))


def class_counts(result: BlendResult) -> RenderableType:
    """What the cross-fitted decisions hit and miss."""
    grouped = [] if result.rows.n_groups is None else ["groups"]
    header = ("positives", *grouped, "TP", "FP", "FN", "TN", "precision", "recall", "specif.")
    table = _table(f"Cross-fitted{words.mark(result)}", *header, gap=1)
    for row in result.classes:
        counts = [row.positives, *([row.positive_groups] if grouped else []), row.tp, row.fp, row.fn, row.tn]
        rates = (row.precision, row.recall, row.tn / (row.tn + row.fp) if row.tn + row.fp else math.nan)
        table.add_row(Text(row.name), *[f"{count:,}" for count in counts], *map(score, rates))
    return table


def class_thresholds(result: BlendResult) -> RenderableType:
    """The final thresholds, and whether they carry over."""
    test = ["predicted in test"] if result.rows.n_test else []
    table = _table("Thresholds", "final", "over the folds", "positive in training", *test)
    for row in result.classes:
        rates = [row.training_rate, *([row.test_rate] if test else [])]
        final = Text(threshold(row.threshold), style="bold")
        table.add_row(Text(row.name), final, over_folds(row), *[share(rate, digits=2) for rate in rates])
    return table


def class_curves(curves: Sequence[ClassCurve]) -> RenderableType | None:
    """How firm each threshold is; None where no class has a curve."""
    if not curves:
        return None
    beta = f"F{curves[0].beta:g}"
    table = _table("How firm", f"{beta} by threshold", "plateau", *(title for title in _SHOWN_MOVES))
    for curve in curves:
        lost = {move.title: signed(-move.lost, digits=3) for move in curve.moves}
        flat = f"{threshold(curve.plateau[0])} – {threshold(curve.plateau[1])}"
        cells = [blocks(curve.f, _CURVE_WIDTH), flat, *(lost.get(title, NOTHING) for title in _SHOWN_MOVES)]
        table.add_row(Text(curve.name), *cells)
    note = (
        f"In sample. On the plateau {beta} is at most {curves[0].slack} below its best; at the right how it changes if "
        "the final threshold moves. Curves with bands, and reliability: see report.html."
    )
    return Group(table, Text(note, style="dim"))


def _table(first: str, *others: str, gap: int = 2) -> Table:
    """Names on the left, numbers on the right, ``gap`` columns between them."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold", min_width=6)  # narrow terminals fold names, never numbers
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
