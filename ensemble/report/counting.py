"""How far a long loop over many things has come: a bar on a terminal, a line at every tenth anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINES = 10
_LEAST_SECONDS = 5.0  # between two lines


@contextmanager
def counted(console: Console, done: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress while the block runs.

    Args:
        console: Where.
        done: What was done with an image, e.g. ``predicted``.
        total: How many images there are.

    Yields:
        To be called with the number of further images that are done.
    """
    if not console.is_terminal:
        yield _Lines(console, done, total)
        return
    speed = TextColumn("{task.fields[speed]} images/s")
    columns = (TextColumn(done), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn(), TextColumn("left"))
    started = time.perf_counter()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(done, total=total, speed="…")

        def advance(images: int) -> None:
            bar.advance(task, images)
            speed = bar.tasks[0].completed / max(1e-9, time.perf_counter() - started)
            bar.update(task, speed=f"{speed:,.0f}")

        yield advance


class _Lines:
    """Says a line when another tenth is done, unless the last one is fresh."""

    def __init__(self, console: Console, done: str, total: int) -> None:
        self._console, self._done, self._total = console, done, total
        self._count = self._tenths = 0
        self._started = self._said = time.perf_counter()

    def __call__(self, images: int) -> None:
        self._count += images
        tenths, now = _LINES * self._count // max(1, self._total), time.perf_counter()
        if self._count < self._total and (tenths == self._tenths or now - self._said < _LEAST_SECONDS):
            return
        self._tenths, self._said = tenths, now
        speed = self._count / max(1e-9, now - self._started)
        self._console.print(f"{self._done} {self._count:,} of {self._total:,} images, {speed:,.0f} images/s")
