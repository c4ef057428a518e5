"""The console of all commands: what stands in names from the data is printed, never obeyed."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

from ensemble.errors import printable


class _Literal:
    """Another renderable, whose texts hold no commands for a terminal. Colours and cursor moves are rich's own."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)


class _LiteralTexts(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Literal(one) for one in renderables]


def open_console(*, soft_wrap: bool = False) -> Console:
    """A console on stdout that prints texts as they are: no markup, no emoji by name, see also ``printable``.

    Args:
        soft_wrap: Whether long lines are left to the terminal.
    """
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)
    console.push_render_hook(_LiteralTexts())
    return console
