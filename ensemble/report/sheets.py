"""A comparison of members as tables of text, which the terminal and the Markdown file both show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ensemble.report.cells import NOTHING, amount, correlation, count, score, share, signed, signed_span, span
from ensemble.results import Interval
from ensemble.standings import Comparison, Pair, Standing

MARK = "*"
CANNOT_TELL = "cannot tell apart"


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        title: Of the table.
        head: Names of the columns. A line break may stand for a space.
        rows: As many texts a row.
        words: The columns that hold words and not numbers.
        notes: Sentences below it.
        strong: The rows to set off.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)
    notes: tuple[str, ...] = ()
    strong: frozenset[int] = frozenset()


def sheets(comparison: Comparison) -> list[Sheet]:
    """All tables, in the order in which they are read; what needs two members is left out for one."""
    found = [_macro_f1(comparison), _other_scores(comparison), _networks(comparison), _training(comparison)]
    if len(comparison.standings) > 1:
        found += [_neighbours(comparison), _absences(comparison), _likenesses(comparison)]
    return found


def correlation_matrix(comparison: Comparison) -> Sheet:
    """The correlation of errors of every pair; columns are places in the ranking."""
    names = [_name(one) for one in comparison.standings]
    places = {one.name: place for place, one in enumerate(comparison.standings)}
    cells = [["1" if a == b else "" for b in range(len(names))] for a in range(len(names))]
    for pair in comparison.pairs:
        a, b = places[pair.first], places[pair.second]
        cells[a][b] = cells[b][a] = correlation(pair.error_correlation)
    rows = [(str(place), name, *cells[place - 1]) for place, name in enumerate(names, start=1)]
    head = ("#", "correlation of errors", *(str(place + 1) for place in range(len(names))))
    return Sheet("Correlation of errors, every pair", head, tuple(rows), words=(1,))


def _macro_f1(comparison: Comparison) -> Sheet:
    rows = [
        (
            str(place),
            _name(one),
            score(one.cross_fitted.point),
            span(one.cross_fitted),
            score(one.in_sample),
            score(one.at_half),
        )
        for place, one in enumerate(comparison.standings, start=1)
    ]
    strong = frozenset({len(rows)}) if comparison.blend else frozenset()
    if comparison.blend is not None:
        marked = f" {MARK}" if any(one.epoch_picked for one in comparison.standings) else ""
        title = f"blend (mean of {len(rows)}){marked}"
        rows.append(("", title, score(comparison.blend.point), span(comparison.blend), "", ""))
    head = ("#", "member", "cross-fitted", "95 % interval", "in sample", "at 0.5")
    return Sheet("Macro-F1", head, tuple(rows), words=(1,), notes=tuple(_ranking_notes(comparison)), strong=strong)


def _ranking_notes(comparison: Comparison) -> Iterator[str]:
    if names := [one.name for one in comparison.standings if one.epoch_picked]:
        yield f"{MARK} epoch picked on these rows ({', '.join(names)}): flattered"
    best, *others = comparison.standings
    level = [one.name for one in others if one.behind_best is not None and _holds_zero(one.behind_best)]
    if level:
        yield f"Cannot be told apart from the best, {best.name}: {', '.join(level)}."
    elif others:
        yield f"{best.name} is better than each other member: no paired interval holds 0."
    if len(others) > 1:
        yield f"Each interval is of 95 %, and none allows for {best.name} being the best of {len(others) + 1}."
    if comparison.blend_gain is not None:
        verdict = _verdict(comparison.blend_gain, better="better", worse="worse", open_=CANNOT_TELL)
        gain = f"{signed(comparison.blend_gain.point)} ({signed_span(comparison.blend_gain)})"
        yield f"The blend less the best member: {gain}: {verdict}."


def _other_scores(comparison: Comparison) -> Sheet:
    rows = [
        (
            _name(one),
            score(one.subset_accuracy),
            score(one.label_accuracy),
            score(one.auroc),
            score(one.average_precision),
            score(one.log_loss),
        )
        for one in comparison.standings
    ]
    head = ("member", "subset\naccuracy", "label\naccuracy", "macro\nAUROC", "average\nprecision", "log\nloss")
    return Sheet("Other scores", head, tuple(rows), notes=("Accuracies are at 0.5.",))


def _networks(comparison: Comparison) -> Sheet:
    rows = [
        (
            _name(one),
            one.facts.model,
            count(one.facts.weight_layers),
            count(one.facts.parameters),
            one.facts.pool or NOTHING,
            count(one.facts.dense_layers),
            " × ".join(map(str, one.facts.image_size)),
        )
        for one in comparison.standings
    ]
    head = ("member", "model", "layers", "parameters", "pooling", "dense", "pixels")
    return Sheet("What it is", head, tuple(rows), words=(0, 1, 4))


def _training(comparison: Comparison) -> Sheet:
    rows = [
        (
            _name(one),
            one.facts.optimizer,
            one.facts.loss,
            _batch(one),
            _epochs(one),
            amount(one.facts.training_seconds),
            amount(one.facts.images_per_second),
        )
        for one in comparison.standings
    ]
    head = ("member", "optimizer", "loss", "batch", "epochs", "seconds", "images/s")
    notes = ("Seconds are of all folds' training; images/s is the median of the folds.",)
    return Sheet("How it was trained, and what that cost", head, tuple(rows), words=(0, 1, 2), notes=notes)


def _neighbours(comparison: Comparison) -> Sheet:
    marked = _marked(comparison)
    rows = [
        (
            f"{marked[pair.first]} − {marked[pair.second]}",
            signed(pair.difference.point),
            signed_span(pair.difference),
            _verdict(pair.difference, better="better", worse="worse", open_=CANNOT_TELL),
        )
        for pair in comparison.neighbours
    ]
    groups = "images" if comparison.rows.n_groups is None else "groups"
    note = f"Paired: both of a row on the same {comparison.n_resamples:,} resamples of {groups}, cross-fitted macro-F1."
    head = ("neighbours in the ranking", "difference", "95 % interval", "")
    return Sheet("Differences", head, tuple(rows), words=(0, 3), notes=(note,))


def _absences(comparison: Comparison) -> Sheet:
    marked = _marked(comparison)
    rows = [
        (
            marked[one.member],
            score(one.without),
            signed(one.loss.point),
            signed_span(one.loss),
            _verdict(one.loss, better="helps", worse="harms", open_="cannot tell"),
        )
        for one in sorted(comparison.absences, key=lambda one: -one.loss.point)
    ]
    head = ("without", "blend's\nmacro-F1", "the blend\nloses", "95 % interval", "")
    return Sheet("What the blend loses without each one", head, tuple(rows), words=(0, 4))


def _verdict(difference: Interval, *, better: str, worse: str, open_: str) -> str:
    if _holds_zero(difference):
        return open_
    return better if difference.point > 0 else worse


def _likenesses(comparison: Comparison) -> Sheet:
    marked = _marked(comparison)
    rows = []
    for one in comparison.standings:
        pairs = [pair for pair in comparison.pairs if one.name in {pair.first, pair.second}]
        ordered = sorted(pairs, key=_by_correlation)
        nearest, farthest = ordered[-1], ordered[0]
        rows.append((marked[one.name], *_partner(one, nearest, marked), *_partner(one, farthest, marked)))
    head = ("member", "most alike", "corr.", "differ", "least alike", "corr.", "differ")
    notes = ("corr.: correlation of the errors p − y, mean over classes. differ: share of labels decided differently.",)
    return Sheet("Errors in common", head, tuple(rows), words=(0, 1, 4), notes=notes)


def _by_correlation(pair: Pair) -> float:
    """Pairs without a correlation count as unlike."""
    return -2.0 if math.isnan(pair.error_correlation) else pair.error_correlation


def _partner(one: Standing, pair: Pair, marked: dict[str, str]) -> tuple[str, str, str]:
    other = pair.second if pair.first == one.name else pair.first
    return marked[other], correlation(pair.error_correlation), share(pair.disagreement)


def _marked(comparison: Comparison) -> dict[str, str]:
    return {one.name: _name(one) for one in comparison.standings}


def _name(one: Standing) -> str:
    return f"{one.name} {MARK}" if one.epoch_picked else one.name


def _holds_zero(interval: Interval) -> bool:
    """Whether the sign of the difference is open. NaN, a difference that does not exist, is open."""
    return not (interval.low > 0 or interval.high < 0)


def _batch(one: Standing) -> str:
    steps = one.facts.accumulation_steps
    return f"{one.facts.batch_size}" if steps == 1 else f"{one.facts.batch_size} × {steps}"


def _epochs(one: Standing) -> str:
    low, high = min(one.facts.trained_epochs), max(one.facts.trained_epochs)
    return f"{low}" if low == high else f"{low} – {high}"
