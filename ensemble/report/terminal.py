"""A blend's report on a terminal, or as plain text where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ensemble.results import BlendResult, ClassResult, Rows, Scores

ONE_MODEL_OR_K = (
    "an out-of-fold row is scored by one model, a holdout or test row by the mean of {n_folds}, which is less extreme."
)
ONE_MODEL_OR_SEVERAL = (
    "if test rows were scored by a mean of several models and training rows by one, theirs are less extreme."
)
NOTHING_BEATS_EXACT = (
    "For macro-F1 no search can beat exact in sample: every class is solved alone, and every cut of it is looked at."
)


def print_report(result: BlendResult, console: Console) -> None:
    """Print the whole report; the score to believe comes first. 80 columns are enough."""
    if console.is_terminal:
        _print_sections(result, console)
        return
    # A file or a pipe gets no padding at the ends of lines.
    with console.capture() as captured:
        _print_sections(result, console)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print_sections(result: BlendResult, console: Console) -> None:
    for section in (_scores, _rows, _members, _search, _classes, _thresholds):
        console.print(section(result))
        console.print()
    if result.warnings:
        console.print(_warnings(result.warnings))
        console.print()


def _scores(result: BlendResult) -> RenderableType:
    scores = result.scores
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim")
    mark = _mark(result)
    believe = Text("chosen on other folds: the score to believe", style="default")
    headline = Text(_score(scores.cross_fitted), style="bold green")
    grid.add_row(Text(f"macro-F1, cross-fitted{mark}", style="bold"), headline, believe)
    grid.add_row(f"in sample{mark}", _score(scores.in_sample), "chosen on the scored rows: optimistic")
    grid.add_row(f"at 0.5{mark}", _score(scores.at_half), "nothing chosen")
    if scores.holdout is not None:
        grid.add_row("holdout", _score(scores.holdout), "other rows, read by no training or tuning")
    if result.best_possible is not None:
        grid.add_row("best possible rule", _score(result.best_possible), "knows the true chances of the training rows")
    notes = []
    if mark:
        names = ", ".join(_epochs_picked(result))
        notes.append(Text(f"* epoch picked on these rows (member {names}): flattered; the holdout is not", "yellow"))
    if result.rows.n_holdout or result.rows.n_test:
        said = ONE_MODEL_OR_K if result.rows.scored_by_fold_models else ONE_MODEL_OR_SEVERAL
        notes.append(Text(f"Note: {said.format(n_folds=result.rows.n_folds)}", "dim"))
    return Group(grid, *notes)


def _epochs_picked(result: BlendResult) -> list[str]:
    return [member.name for member in result.members if member.epoch_picked]


def _mark(result: BlendResult) -> str:
    return " *" if _epochs_picked(result) else ""


def _rows(result: BlendResult) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    rows = result.rows
    grid.add_row("dataset", Text(f"{rows.dataset}: {_counts(rows)}"))
    grid.add_row("groups", Text(_groups(rows)))
    n_members = len(result.members)
    of_members = f"{n_members} members" if n_members > 1 else "1 member"
    grid.add_row("blend", Text(f"mean of the probabilities of {of_members}"))
    for name, reason in result.skipped.items():
        grid.add_row("skipped", Text(f"{name}: {reason}"))
    return grid


def _counts(rows: Rows) -> str:
    joined = " (the holdout's among them)" if rows.holdout_in_folds else ""
    parts = [f"{rows.n_train:,} training rows{joined} in {rows.n_folds} folds"]
    parts += [f"{rows.n_holdout:,} holdout"] if rows.n_holdout else []
    parts += [f"{rows.n_test:,} test"] if rows.n_test else []
    return ", ".join(parts)


def _groups(rows: Rows) -> str:
    return rows.groups_source if rows.n_groups is None else f"{rows.n_groups:,} from {rows.groups_source}"


def _members(result: BlendResult) -> RenderableType:
    holdout = [] if result.scores.holdout is None else ["holdout"]
    table = _table("Members", "weight", "cross-fitted", "in sample", "at 0.5", *holdout)
    for member in result.members:
        name = Text(f"{member.name} *" if member.epoch_picked else member.name)
        table.add_row(name, f"{member.weight:.3f}", *_in_order(member.scores))
    table.add_row(f"blend{_mark(result)}", f"{1:.3f}", *_in_order(result.scores), style="bold")
    return table


def _in_order(scores: Scores) -> list[str]:
    holdout = [] if scores.holdout is None else [scores.holdout]
    return [_score(value) for value in (scores.cross_fitted, scores.in_sample, scores.at_half, *holdout)]


def _search(result: BlendResult) -> RenderableType:
    table = _table(f"Threshold search{_mark(result)}", "in sample", "cross-fitted", "seconds", "")
    for rule in result.rules:
        table.add_row(
            Text(rule.title),
            _score(rule.in_sample),
            _score(rule.cross_fitted),
            f"{rule.seconds:.4f}",
            "◄ used" if rule.chosen else "",
            style="bold" if rule.chosen else "",
        )
    return Group(table, Text(NOTHING_BEATS_EXACT, style="dim"))


def _classes(result: BlendResult) -> RenderableType:
    groups = [] if result.rows.n_groups is None else ["groups"]
    title, cells = f"Cross-fitted{_mark(result)}", ("TP", "FP", "FN", "TN")
    table = _table(title, "positives", *groups, *cells, "precision", "recall", "F1", gap=1)
    for row in result.classes:
        counts = [row.positives, *([row.positive_groups] if groups else []), row.tp, row.fp, row.fn, row.tn]
        f1 = Text(_score(row.f1), style="bold")
        table.add_row(
            Text(row.name), *[f"{count:,}" for count in counts], _score(row.precision), _score(row.recall), f1
        )
    return table


def _thresholds(result: BlendResult) -> RenderableType:
    test = ["predicted in test"] if result.rows.n_test else []
    table = _table("Thresholds", "final", "over the folds", "positive in training", *test)
    for row in result.classes:
        rates = [row.training_rate, *([row.test_rate] if test else [])]
        final = Text(_threshold(row.threshold), style="bold")
        table.add_row(Text(row.name), final, _over_folds(row), *[_rate(rate) for rate in rates])
    return table


def _over_folds(row: ClassResult) -> str:
    low, high = _threshold(min(row.fold_thresholds)), _threshold(max(row.fold_thresholds))
    return low if low == high else f"{low} – {high}"


def _warnings(warnings: Sequence[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold yellow", no_wrap=True)
    grid.add_column()
    for warning in warnings:
        grid.add_row("warning", Text(warning))
    return grid


def _table(first: str, *others: str, gap: int = 2) -> Table:
    """Names on the left, numbers on the right, ``gap`` columns between them."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold", min_width=6)  # narrow terminals fold names, never numbers
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _score(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.4f}"


def _rate(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.2%}"


def _threshold(value: float) -> str:
    if value > 1:
        return "none"
    if value == 0:
        return "all"
    return f"{value:.4f}" if value >= 0.001 else f"{value:.1e}"
