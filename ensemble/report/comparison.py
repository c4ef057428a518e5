"""A comparison of members on a terminal, or as plain text where there is none."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ensemble.report.sheets import Sheet, correlation_matrix, sheets
from ensemble.results import Rows
from ensemble.standings import Comparison

# Of a column of the correlation matrix, and of what stands left of them.
_MATRIX_COLUMN = 5
_MATRIX_NAMES = 26


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the ranking and everything that qualifies it. 80 columns are enough."""
    if console.is_terminal:
        _print_sections(comparison, console)
        return
    # A file or a pipe gets no padding at the ends of lines.
    with console.capture() as captured:
        _print_sections(comparison, console)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print_sections(comparison: Comparison, console: Console) -> None:
    console.print(_facts(comparison))
    console.print()
    for sheet in sheets(comparison):
        console.print(_table(sheet))
        console.print()
    n_members = len(comparison.standings)
    if 2 < n_members <= (console.width - _MATRIX_NAMES) // _MATRIX_COLUMN:
        console.print(_table(correlation_matrix(comparison), gap=1))
        console.print()
    if comparison.warnings:
        console.print(_pairs([("warning", text) for text in comparison.warnings], "bold yellow"))
        console.print()


def _facts(comparison: Comparison) -> RenderableType:
    rows = comparison.rows
    skipped = [("skipped", f"{name}: {reason}") for name, reason in comparison.skipped.items()]
    return _pairs([("dataset", f"{rows.dataset}: {dataset_line(rows)}"), ("groups", groups_line(rows)), *skipped])


def dataset_line(rows: Rows) -> str:
    """How many rows were scored."""
    joined = " (the holdout's among them)" if rows.holdout_in_folds else ""
    return f"{rows.n_train:,} training rows{joined} in {rows.n_folds} folds, each scored by the model that held it out"


def groups_line(rows: Rows) -> str:
    """How many groups there are, and where they came from."""
    return rows.groups_source if rows.n_groups is None else f"{rows.n_groups:,} from {rows.groups_source}"


def _pairs(pairs: list[tuple[str, str]], style: str = "bold") -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=style, no_wrap=True)
    grid.add_column()
    for name, text in pairs:
        grid.add_row(name, Text(text))
    return grid


def _table(sheet: Sheet, *, gap: int = 2) -> RenderableType:
    """Words on the left, numbers on the right; narrow terminals fold words, never numbers."""
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        header_style="bold",
        title=Text(sheet.title, style="bold cyan"),
        title_justify="left",
    )
    for place, name in enumerate(sheet.head):
        words = place in sheet.words
        table.add_column(
            Text(name),
            justify="left" if words else "right",
            overflow="fold" if words else "ellipsis",
            no_wrap=not words,
            vertical="bottom",
            min_width=min(6, max(len(row[place]) for row in sheet.rows)) if words else None,
        )
    for number, row in enumerate(sheet.rows):
        table.add_row(*(Text(cell) for cell in row), style="bold" if number in sheet.strong else "")
    return Group(table, *(Text(note, style="dim") for note in sheet.notes))
