"""Many trainings, as a person watches them: one live table on a terminal, a line an event anywhere else."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ensemble.errors import EXIT_DONE, EXIT_UNFINISHED, many
from ensemble.scheduling.local import Outcome
from ensemble.scheduling.plan import PlannedRun, Progress, expected_seconds

# Elsewhere than on a terminal, how often a line says how far everything is.
_LINE_EVERY_SECONDS = 60.0


def print_plan(console: Console, runs: Sequence[PlannedRun], *, at_once: int, each: str) -> None:
    """What is done, and what will run.

    Args:
        console: Where to.
        runs: All of them, finished ones too.
        at_once: How many run side by side.
        each: What each of them gets, in words.
    """
    table = _table("member", "folds done", "to go on", "to start")
    for member in dict.fromkeys(run.member for run in runs):
        mine = [run for run in runs if run.member == member]
        done, on = [run.fold for run in mine if run.finished], [run.fold for run in mine if run.started]
        start = [run.fold for run in mine if not run.finished and not run.started]
        table.add_row(Text(member), _folds(done), _folds(on), _folds(start))
    console.print(table)
    left = sum(not run.finished for run in runs)
    if left:
        side = "one after the other" if at_once == 1 else f"{at_once} at once"
        known = _seen(runs)
        expected = expected_seconds([run for run in runs if not run.finished], known, [], at_once=at_once)
        said = "expected time: known after the first steps" if expected is None else f"about {duration(expected)}"
        console.print(f"{many(left, 'training')} to run, {side}, {each}; {said}", markup=False)


def _folds(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds)) or "–"


def _seen(runs: Iterable[PlannedRun]) -> dict[str, list[float]]:
    """By member: the seconds of its finished folds."""
    seen: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run.seconds is not None:
            seen[run.member].append(run.seconds)
    return seen


class RunView:
    """Shows trainings that run side by side; the watcher of ``run_all``. Use it as a context."""

    def __init__(self, console: Console, runs: Sequence[PlannedRun], *, at_once: int) -> None:
        """Prepare, show nothing yet.

        Args:
            console: Where to.
            runs: All that are planned, finished ones too.
            at_once: How many run side by side.
        """
        self._console, self._at_once = console, at_once
        self._all, self._ended = sum(not run.finished for run in runs), 0
        self._seen = _seen(runs)
        self._begun: set[str] = set()
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._shown = console.is_terminal
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._live.stop()

    def started(self, run: PlannedRun) -> None:
        """See ``ensemble.scheduling.local.Watcher``."""
        how = "goes on" if run.started else "starts"
        if run.title in self._begun:
            how = "was lost with its node, and goes on elsewhere"
        self._begun.add(run.title)
        self._say(f"{run.title}  {how}  (log: {run.log})")

    def ended(self, outcome: Outcome) -> None:
        """See ``ensemble.scheduling.local.Watcher``."""
        self._ended += 1
        ends = {EXIT_DONE: "done", EXIT_UNFINISHED: "stopped, saved"}
        how = ends.get(outcome.exit_code, f"FAILED (exit code {outcome.exit_code})")
        self._say(f"{outcome.run.title}  {how} after {duration(outcome.seconds)}")
        if outcome.done:
            self._seen[outcome.run.member].append(outcome.seconds)

    def looked(self, running: Mapping[PlannedRun, Progress], waiting: Sequence[PlannedRun]) -> None:
        """See ``ensemble.scheduling.local.Watcher``."""
        seen = {member: list(seconds) for member, seconds in self._seen.items()}
        for run, progress in running.items():
            if progress.seconds_in_all is not None:
                seen.setdefault(run.member, []).append(progress.seconds_in_all)
        left = expected_seconds(waiting, seen, running.values(), at_once=self._at_once)
        line = f"{self._ended} of {many(self._all, 'training')} ended, {len(waiting)} waiting"
        line += "" if left is None else f"; about {duration(left)} left"
        if self._shown:
            self._live.update(_live_table(running, line))
        elif time.monotonic() - self._said > _LINE_EVERY_SECONDS:
            self._said = time.monotonic()
            doing = "; ".join(f"{run.title} {_percent(progress)}" for run, progress in running.items())
            self._say(f"{line}: {doing}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _live_table(running: Mapping[PlannedRun, Progress], line: str) -> RenderableType:
    table = _table("training", "", "", "images/s", "left")
    for run, progress in running.items():
        bar = ProgressBar(total=max(1, progress.total), completed=progress.done, width=30)
        speed = f"{progress.images_per_second:,.0f}" if progress.images_per_second else ""
        left = "" if progress.seconds_left is None else duration(progress.seconds_left)
        table.add_row(Text(run.title), bar, _percent(progress), speed, left)
    table.caption = Text(line, justify="left")
    table.caption_justify = "left"
    return table


def _percent(progress: Progress) -> str:
    return f"{100 * progress.done / progress.total:.0f}%" if progress.total else progress.doing


def print_failures(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Name trainings that failed, with what they said last and where the rest of it stands."""
    for outcome in outcomes:
        console.print(f"{outcome.run.title} failed with exit code {outcome.exit_code}; it said last:", markup=False)
        for line in outcome.last_lines or ("nothing",):
            console.print(f"  {line}", markup=False, soft_wrap=True)
        console.print(f"  log: {outcome.run.log}", markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if not name else "right")
    return table
