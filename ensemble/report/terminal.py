"""A blend's report on a terminal, or as plain text where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ensemble.curves import ClassCurve
from ensemble.report import blend_words as words
from ensemble.report.cells import score
from ensemble.report.terminal_tables import (
    class_counts,
    class_curves,
    class_scores,
    class_thresholds,
    combinations,
    likeness,
    members,
    threshold_rules,
)
from ensemble.results import BlendResult


def print_report(result: BlendResult, console: Console, curves: Sequence[ClassCurve] = ()) -> None:
    """Print the whole report; the score to believe comes first. 80 columns are enough.

    Args:
        result: Everything that was found out.
        console: Where to.
        curves: Of the classes that have one.
    """
    if console.is_terminal:
        _print_sections(result, curves, console)
        return
    # A file or a pipe gets no padding at the ends of lines.
    with console.capture() as captured:
        _print_sections(result, curves, console)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print_sections(result: BlendResult, curves: Sequence[ClassCurve], console: Console) -> None:
    sections = (
        _scores(result),
        _rows(result),
        members(result),
        likeness(result),
        combinations(result),
        threshold_rules(result),
        class_scores(result),
        class_counts(result),
        class_thresholds(result),
        class_curves(curves),
        _warnings(result),
    )
    for shown in sections:
        if shown is not None:
            console.print(shown)
            console.print()


def _scores(result: BlendResult) -> RenderableType:
    scores, mark = result.scores, words.mark(result)
    title = f"{result.choice.metric_title}, cross-fitted{mark}"
    believe = Text("chosen on other folds: the score to believe", style="default")
    headline = (Text(title, style="bold"), Text(score(scores.cross_fitted), style="bold green"), believe)
    others: list[tuple[str, str, str]] = [
        (f"in sample{mark}", score(scores.in_sample), words.gap(scores)),
        (f"at 0.5{mark}", score(scores.at_half), words.at_half(result)),
    ]
    if scores.holdout is not None:
        others.append(("holdout", score(scores.holdout), "other rows, read by no training or tuning"))
    if result.best_possible is not None:
        others.append(("best possible rule", score(result.best_possible), "knows the training rows' true chances"))
    intervals = [Text(f"  95 % interval {span}  {meaning}") for span, meaning in words.intervals(result)]
    return Group(_lines([headline], len(title)), *intervals, _lines(others, len(title)), *_score_notes(result))


def _lines(rows: Sequence[tuple[str | Text, str | Text, str | Text]], width: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, min_width=width)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim")
    for row in rows:
        grid.add_row(*row)
    return grid


def _score_notes(result: BlendResult) -> list[Text]:
    notes = []
    if picked := words.epochs_picked(result):
        said = f"* epoch picked on these rows (member {', '.join(picked)}): flattered; the holdout is not"
        notes.append(Text(said, "yellow"))
    return [*notes, *(Text(f"Note: {note}", "dim") for note in words.score_notes(result))]


def _rows(result: BlendResult) -> RenderableType:
    pairs = [
        ("dataset", f"{result.rows.dataset}: {words.counts(result.rows)}"),
        ("groups", words.groups(result.rows)),
        ("blend", words.combined(result)),
        ("decides", words.decided(result.choice)),
        *(("", rule) for rule in words.label_rules(result.choice)),
        *(("skipped", f"{name}: {reason}") for name, reason in result.skipped.items()),
    ]
    return _pairs(pairs, "bold")


def _warnings(result: BlendResult) -> RenderableType | None:
    return _pairs([("warning", text) for text in result.warnings], "bold yellow") if result.warnings else None


def _pairs(pairs: Sequence[tuple[str, str]], style: str) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=style, no_wrap=True)
    grid.add_column()
    for name, text in pairs:
        grid.add_row(name, Text(text))
    return grid
