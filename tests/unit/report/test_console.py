"""What a terminal gets of names that were made to command it."""

from __future__ import annotations

import io
import re

from rich.color import ColorSystem
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ensemble.report.console import open_console

EVIL = "[bold]a[/bold] [link=file:///x]b[/link] :smile: \x1b[2J\x1b]8;;http://x\x07\x9b2J\u202ec\r"
SHOWN = r"[bold]a[/bold] [link=file:///x]b[/link] :smile: \x1b[2J\x1b]8;;http://x\x9b2J\u202ec"
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def printed(*objects: object, terminal: bool = False) -> str:
    console = open_console(soft_wrap=True)
    console.file, console._force_terminal, console.width = io.StringIO(), terminal, 200
    console._color_system = ColorSystem.STANDARD if terminal else None
    for one in objects:
        console.print(one)
    return console.file.getvalue()


def test_texts_are_printed_as_they_are_but_for_commands() -> None:
    said = printed(EVIL)
    assert said.startswith(SHOWN)
    assert not set(said) & set("\x1b\x07\x9b\u202e")


def test_a_table_keeps_its_colours_and_nothing_else() -> None:
    table = Table("name", title=Text(EVIL))
    table.add_row(Text(EVIL, "bold"))
    said = printed(table, terminal=True)
    assert SHOWN in said
    assert _COLOUR.search(said)
    assert "\x1b" not in _COLOUR.sub("", said)


def test_a_live_bar_still_moves_the_cursor() -> None:
    console = open_console()
    console.file, console._force_terminal = io.StringIO(), True
    with Progress(console=console) as bar:
        bar.add_task("doing", total=2)
        console.print(EVIL)
    said = console.file.getvalue()
    assert "doing" in said
    assert "\x1b[?25l" in said  # the cursor is hidden
    assert "\x1b[2J" not in said
