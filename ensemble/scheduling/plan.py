"""What is done, what is to run, and how long it may take."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble.errors import ArtefactError
from ensemble.run_facts import read_run
from ensemble.runs import DatasetRuns


@dataclass(frozen=True)
class PlannedRun:
    """The training of one fold of one member.

    Attributes:
        member: Its name.
        fold: From 0.
        command: What trains it, as a process of its own.
        log: Receives what that process prints.
        progress: Which it keeps while it trains.
        finished: Nothing is to do.
        started: A checkpoint is there to go on from.
        seconds: What it took, where it is finished and says so.
        lock: The lock file of its fold, which only one process holds.
    """

    member: str
    fold: int
    command: tuple[str, ...]
    log: Path
    progress: Path
    finished: bool = False
    started: bool = False
    seconds: float | None = None
    lock: Path | None = None

    @property
    def title(self) -> str:
        """Member and fold, for people."""
        return f"{self.member} fold {self.fold}"


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        done: Images, over all epochs.
        total: Of them.
        images_per_second: Mean of this process so far; 0 before the first batch.
        doing: In words.
    """

    done: int = 0
    total: int = 0
    images_per_second: float = 0.0
    doing: str = "starting"

    @property
    def seconds_left(self) -> float | None:
        """At the present speed; None before there is one."""
        return (self.total - self.done) / self.images_per_second if self.images_per_second > 0 else None

    @property
    def seconds_in_all(self) -> float | None:
        """A whole training at the present speed; None before there is one."""
        return self.total / self.images_per_second if self.images_per_second > 0 else None


def plan_runs(runs: DatasetRuns, members: Mapping[str, Sequence[str]], folds: Sequence[int]) -> list[PlannedRun]:
    """One run a member and fold, in the order of members.

    Args:
        runs: Of the dataset.
        members: By name: the arguments of ``ensemble.train``, but for the fold.
        folds: From 0.
    """
    return [_planned(runs, name, words, fold) for name, words in members.items() for fold in folds]


def _planned(runs: DatasetRuns, name: str, words: Sequence[str], fold: int) -> PlannedRun:
    paths, progress = runs.member(name).fold(fold), runs.run_progress(name, fold)
    command = (sys.executable, "-m", "ensemble.train", *words, "--fold", str(fold), "--progress", str(progress))
    finished = paths.run.exists()
    return PlannedRun(
        member=name,
        fold=fold,
        command=command,
        log=runs.run_log(name, fold),
        progress=progress,
        finished=finished,
        started=not finished and paths.checkpoint.exists(),
        seconds=_seconds(paths.run) if finished else None,
        lock=paths.lock,
    )


def _seconds(run: Path) -> float | None:
    try:
        found = read_run(run).get("seconds")
    except ArtefactError:
        return None  # training will say what is wrong with it
    return float(found) if isinstance(found, int | float) else None


def read_progress(path: Path) -> Progress:
    """What a training says of itself; where it has not said anything yet, or cannot be read, that it is starting."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        speed = float(content["images_per_second"])
        return Progress(int(content["done"]), int(content["total"]), speed, str(content["doing"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Progress()


def expected_seconds(
    waiting: Iterable[PlannedRun], seen: Mapping[str, Sequence[float]], running: Iterable[Progress], *, at_once: int
) -> float | None:
    """How long everything that is left may take, in wall time.

    Args:
        waiting: Runs that have not begun.
        seen: By member: seconds of whole trainings, measured on finished folds or running ones.
        running: How far those are that run now.
        at_once: How many run side by side.

    Returns:
        None where a member's speed is not known yet.
    """
    left = [progress.seconds_left for progress in running]
    waits = [statistics.median(seen[run.member]) if seen.get(run.member) else None for run in waiting]
    known = [seconds for seconds in (*left, *waits) if seconds is not None]
    if len(known) < len(left) + len(waits):
        return None
    return max(sum(known) / max(1, at_once), *(known or [0.0]), 0.0)
