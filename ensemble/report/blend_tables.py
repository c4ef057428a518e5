"""The tables of a blend's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ensemble.curves import ClassCurve
from ensemble.report import blend_words as words
from ensemble.report.cells import NOTHING, over_folds, score, share, short_span, signed, threshold
from ensemble.report.figures import sparkline
from ensemble.report.html import HtmlTable
from ensemble.results import BlendResult, Scores

_USED = "◄ used"


def score_table(result: BlendResult) -> HtmlTable:
    """Every score with its interval and what it is."""
    scores, mark = result.scores, words.mark(result)
    told = (
        "The score to believe: whatever was chosen for a row was chosen on other folds. Its interval is where the "
        "score of this blend on all patients like these is."
    )
    rows = [[f"cross-fitted{mark}", told, score(scores.cross_fitted), _span(scores.cross_fitted_ci95)]]
    if scores.test_interval95 is not None:
        flag = result.choice.test_thresholds_by
        whose = "the submission's score will" if flag is None else f"its score would, without {flag},"
        told = f"Where {whose} fall: adds the luck of which rows these are."
        rows.append([f"on your {result.rows.n_test:,} test rows", told, "", _span(scores.test_interval95)])
    rows.append([f"in sample{mark}", f"Optimistic: {words.gap(scores)}.", score(scores.in_sample), ""])
    rows.append([f"at 0.5{mark}", f"The same blend, {words.at_half(result)}.", score(scores.at_half), ""])
    if scores.holdout is not None:
        told = "Other rows, read by no training or tuning; decided once, by the final thresholds."
        rows.append(["holdout", told, score(scores.holdout), ""])
    if result.best_possible is not None:
        told = "The best rule that knows the training rows' true chances; nobody can expect more."
        rows.append(["best possible rule", told, score(result.best_possible), ""])
    return HtmlTable(["", "what it is", result.choice.metric_title, "95 % interval"], rows, n_text=2)


def _span(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{score(ends[0])} – {score(ends[1])}"


def combination_table(result: BlendResult) -> HtmlTable:
    """What ``auto`` compared."""
    rows = []
    for number, one in enumerate(result.choice.tried):
        gained = [signed(one.gain), score(one.standard_error)] if number else ["", ""]
        rows.append([one.title, score(one.cross_fitted), *gained, f"{one.seconds:.3f}", _USED if one.chosen else ""])
    header = ["combination", "cross-fitted", "gain over the first", "standard error", "seconds", ""]
    return HtmlTable(header, rows, strong=[place for place, one in enumerate(result.choice.tried) if one.chosen])


def rule_table(result: BlendResult) -> HtmlTable:
    """What was tried on the blend."""
    rows = [
        [
            words.rule_name(rule, result.choice),
            score(rule.in_sample),
            score(rule.cross_fitted),
            f"{rule.seconds:.4f}",
            _USED if rule.chosen else "",
        ]
        for rule in result.rules
    ]
    chosen = [place for place, rule in enumerate(result.rules) if rule.chosen]
    return HtmlTable(["threshold rule", "in sample", "cross-fitted", "seconds", ""], rows, strong=chosen)


def class_table(result: BlendResult) -> HtmlTable:
    """Each class, of the cross-fitted decisions."""
    grouped = result.rows.n_groups is not None
    header = ["class", "positives", *(["in groups"] if grouped else []), "F1", "95 % interval", "in sample"]
    rows = [
        [
            row.name,
            f"{row.positives:,}",
            *([f"{row.positive_groups:,}"] if grouped else []),
            score(row.f1),
            short_span(row.f1_ci95),
            score(row.in_sample_f1),
            score(row.precision),
            score(row.recall),
            *[f"{count:,}" for count in (row.tp, row.fp, row.fn, row.tn)],
            score(row.auroc),
            score(row.average_precision),
        ]
        for row in result.classes
    ]
    header += ["precision", "recall", "TP", "FP", "FN", "TN", "AUROC", "av. precision"]
    return HtmlTable(header, rows)


def threshold_table(result: BlendResult, curves: Sequence[ClassCurve]) -> HtmlTable:
    """Where each threshold lies, and what is lost if it moves."""
    by_name = {curve.name: curve for curve in curves}
    titles = _titles(by_name)
    rows = []
    for row in result.classes:
        curve = by_name.get(row.name)
        place = [threshold(row.threshold), over_folds(row)]
        if curve is None:
            rows.append([row.name, "", *place, NOTHING, NOTHING, NOTHING, *[NOTHING] * len(titles)])
            continue
        lost = {move.title: signed(-move.lost, digits=3) for move in curve.moves}
        thumbnail = sparkline(curve.f, at=_place(curve), label=f"F{curve.beta:g} of {row.name} against the threshold")
        flat = f"{threshold(curve.plateau[0])} – {threshold(curve.plateau[1])}"
        found = [flat, score(curve.best), score(curve.f_at_threshold)]
        rows.append([row.name, thumbnail, *place, *found, *[lost.get(title, NOTHING) for title in titles]])
    header = ["class", "curve", "final", "over the folds", "plateau", "best in sample", "at the final", *titles]
    return HtmlTable(header, rows)


def _titles(curves: Mapping[str, ClassCurve]) -> list[str]:
    found = next((curve.moves for curve in curves.values() if curve.moves), ())
    return [move.title for move in found]


def _place(curve: ClassCurve) -> float | None:
    """How far along the curve's cuts the final threshold lies, from 0 to 1."""
    if not 0 < curve.threshold < 1:
        return None
    return float((curve.cuts < curve.threshold).sum()) / (len(curve.cuts) - 1)


def member_table(result: BlendResult) -> HtmlTable:
    """Each member on its own, and the blend."""
    holdout = [] if result.scores.holdout is None else ["holdout"]
    rows = [
        [f"{member.name} *" if member.epoch_picked else member.name, f"{member.weight:.3f}", *_in_order(member.scores)]
        for member in result.members
    ]
    rows.append([f"blend{words.mark(result)}", "1.000", *_in_order(result.scores)])
    note = f"Members' own thresholds: {result.choice.member_rule_title}."
    if holdout:
        note = f"{note} {words.HOLDOUT_IS_NO_CHOOSER}"
    header = ["member", "weight", "cross-fitted", "in sample", "at 0.5", *holdout]
    return HtmlTable(header, rows, note=note, strong=[len(result.members)])


def _in_order(scores: Scores) -> list[str]:
    holdout = [] if scores.holdout is None else [scores.holdout]
    return [score(value) for value in (scores.cross_fitted, scores.in_sample, scores.at_half, *holdout)]


def absence_table(result: BlendResult) -> HtmlTable:
    """The plain mean without each member, the most missed first."""
    likeness = result.likeness
    found = [] if likeness is None else [likeness.absences[place] for place in words.most_missed(likeness)]
    rows = [[one.name, score(one.cross_fitted), signed(-one.loss)] for one in found]
    return HtmlTable(["without", "cross-fitted", "change"], rows)


def rate_table(result: BlendResult) -> HtmlTable:
    """How many rows are called positive."""
    rows = []
    for row in result.classes:
        called = (row.tp + row.fp) / row.labelled if row.labelled else float("nan")
        rates = [share(rate, digits=2) for rate in (row.training_rate, called, row.test_rate)]
        rows.append([row.name, *rates, _times(row.test_rate, row.training_rate), _times(row.test_rate, called)])
    header = ["class", "positive in training", "called positive, cross-fitted", "called positive on the test rows"]
    return HtmlTable([*header, "test : positive", "test : called"], rows)


def _times(rate: float | None, other: float) -> str:
    return f"× {rate / other:.2f}" if rate is not None and other > 0 else NOTHING
