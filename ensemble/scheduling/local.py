"""Trainings as processes of this machine, as many side by side as there is room for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ensemble.errors import EXIT_DONE, EXIT_UNFINISHED
from ensemble.files import storage_errors
from ensemble.scheduling.plan import PlannedRun, Progress, read_progress
from ensemble.scheduling.split import Slot
from ensemble.stopping import StopRequest, end_with_parent

_LOOK_EVERY_SECONDS = 0.2
# After SIGTERM a training saves, which takes a moment; one that does not end is killed, and goes on from its last save.
GRACE_SECONDS = 45.0


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        exit_code: Of its process; negative: killed by that signal.
        seconds: Wall time.
        last_lines: What it printed last.
    """

    run: PlannedRun
    exit_code: int
    seconds: float
    last_lines: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """The fold is finished."""
        return self.exit_code == EXIT_DONE

    @property
    def unfinished(self) -> bool:
        """It was stopped, and goes on with the same command."""
        return self.exit_code == EXIT_UNFINISHED


class Watcher(Protocol):
    """Whoever shows what happens. All calls come from one thread."""

    def started(self, run: PlannedRun) -> None:
        """Its process runs."""

    def looked(self, running: Mapping[PlannedRun, Progress], waiting: Sequence[PlannedRun]) -> None:
        """A few times a second."""

    def ended(self, outcome: Outcome) -> None:
        """Its process has ended."""


@dataclass(eq=False)
class _Process:
    run: PlannedRun
    slot: Slot
    child: subprocess.Popen[bytes]
    started: float


def run_all(runs: Sequence[PlannedRun], slots: Sequence[Slot], stop: StopRequest, watcher: Watcher) -> list[Outcome]:
    """Train everything that is planned; one that fails does not stop the others.

    A request to stop ends all of them within seconds, saved, and starts no more. If this process is killed, its
    trainings stop likewise (on Linux).

    Args:
        runs: Not finished ones.
        slots: At least one.
        stop: Looked at several times a second.
        watcher: Told of everything.

    Returns:
        One for each run that was started, in the order in which they ended.

    Raises:
        StorageError: A log cannot be written.
    """
    waiting, free, active, outcomes = deque(runs), list(slots), list[_Process](), list[Outcome]()
    try:
        while (waiting or active) and not stop.reason:
            while waiting and free:
                active.append(_start(waiting.popleft(), free.pop(0)))
                watcher.started(active[-1].run)
            time.sleep(_LOOK_EVERY_SECONDS)
            for process in [one for one in active if one.child.poll() is not None]:
                active.remove(process)
                free.append(process.slot)
                outcomes.append(_end(process, watcher, asked=bool(stop.reason)))
            watcher.looked({one.run: read_progress(one.run.progress) for one in active}, waiting)
        stop.seen()
    finally:
        _terminate(active)
        outcomes += [_end(process, watcher, asked=True) for process in active]
    return outcomes


def _start(run: PlannedRun, slot: Slot) -> _Process:
    with storage_errors(run.log):
        run.log.parent.mkdir(parents=True, exist_ok=True)
        run.progress.unlink(missing_ok=True)
        log = run.log.open("ab")
    with log:
        child = subprocess.Popen(  # noqa: S603 - our own command
            run.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **slot.environment},
            # Ctrl-C is answered here: a child that got it, too, would take our request for a second one, and not save.
            start_new_session=True,
            preexec_fn=stop_with_parent,  # noqa: PLW1509 - no threads of ours hold locks
        )
    return _Process(run, slot, child, time.monotonic())


def stop_with_parent() -> None:
    """For a process that was just forked: it gets SIGTERM when its parent ends (on Linux)."""
    end_with_parent(signal.SIGTERM)


def _end(process: _Process, watcher: Watcher, *, asked: bool) -> Outcome:
    process.run.progress.unlink(missing_ok=True)
    code, seconds = process.child.returncode, time.monotonic() - process.started
    if asked and code == -signal.SIGTERM:  # it was asked before it could answer: there is nothing to save yet
        code = EXIT_UNFINISHED
    outcome = Outcome(process.run, code, seconds, last_lines(process.run.log))
    watcher.ended(outcome)
    return outcome


def last_lines(log: Path) -> tuple[str, ...]:
    """What a training printed last."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return tuple(lines[-3:])


def _terminate(active: Sequence[_Process]) -> None:
    for process in active:
        process.child.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in active:
        try:
            process.child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()
