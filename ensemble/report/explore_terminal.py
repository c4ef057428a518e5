"""What is in a dataset, on a terminal or as plain text where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ensemble.findings import Findings, Trap
from ensemble.report.explore_tables import (
    alike_table,
    class_table,
    combination_table,
    fold_table,
    groups_text,
    kind_table,
    per_image_table,
    size_table,
)
from ensemble.report.html import HtmlTable

_COMBINATIONS = 12
_STYLES = {"leak": "bold red", "caution": "bold yellow", "note": "bold cyan"}


def print_findings(findings: Findings, console: Console) -> None:
    """Print tables, and the traps last, where they are seen. 80 columns are enough for a few folds."""
    _print_unpadded(lambda: _print_sections(findings, console), console)


def print_traps(traps: Sequence[Trap], console: Console) -> None:
    """Print the traps alone, or that there are none."""
    _print_unpadded(lambda: console.print(_traps(traps)), console)


def _print_unpadded(write: Callable[[], None], console: Console) -> None:
    """A file or a pipe gets no padding at the ends of lines."""
    if console.is_terminal:
        write()
        return
    with console.capture() as captured:
        write()
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print_sections(findings: Findings, console: Console) -> None:
    splits = findings.splits
    console.print(_head(findings))
    console.print()
    tables = [
        class_table(findings),
        per_image_table(findings),
        combination_table(findings, _COMBINATIONS),
        size_table(findings),
        kind_table(splits, "kind of pixels", [split.modes for split in splits]),
        kind_table(splits, "file format", [split.formats for split in splits]),
        alike_table(findings),
    ]
    if findings.division is not None:
        tables.append(fold_table(findings, shares=False))
    for content in tables:
        console.print(_table(content))
        console.print()
    console.print(_traps(findings.traps))
    console.print()


def _head(findings: Findings) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    counts = ", ".join(f"{len(split):,} {split.name}" for split in findings.splits)
    grid.add_row("dataset", Text(f"{findings.dataset}: {counts} images, {len(findings.class_names)} classes"))
    grid.add_row("groups", Text(groups_text(findings)))
    grid.add_row("folds", Text("none" if findings.division is None else findings.division.source))
    return grid


def _table(content: HtmlTable) -> RenderableType:
    """Names on the left, numbers on the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, title in enumerate(content.header):
        if place < content.n_text:
            table.add_column(Text(title), overflow="fold", min_width=6)
        else:
            table.add_column(Text(title), justify="right", overflow="fold")
    for row in content.rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return Group(table, Text(content.note, "dim")) if content.note else table


def _traps(traps: Sequence[Trap]) -> RenderableType:
    if not traps:
        return Text("no trap found", "bold green")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for trap in traps:
        grid.add_row(Text(trap.gravity, _STYLES[trap.gravity]), _told(trap))
    return grid


def _told(trap: Trap) -> Text:
    return Text.assemble((trap.name, "bold"), f": {trap.text}")
