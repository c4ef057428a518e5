"""Trainings as tasks of Ray, on a cluster or on this machine; the same plan as ``local``, the same results.

A task is ``ensemble.train`` in a process of its own, as it is without Ray. Everything that lasts (checkpoints, logs,
progress) lies on storage that all nodes share: a task whose node is lost is started again elsewhere by Ray, and goes on
from its checkpoint.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ensemble.errors import EXIT_FAILED, EXIT_UNFINISHED
from ensemble.scheduling.local import GRACE_SECONDS, Outcome, Watcher, last_lines
from ensemble.scheduling.plan import PlannedRun, read_progress
from ensemble.scheduling.ray_cluster import import_ray
from ensemble.scheduling.ray_task import place_of, starts_so_far, train_on_node
from ensemble.scheduling.split import Slot
from ensemble.stopping import StopRequest

# How often a task may be lost with its node; one that takes its node down each time shall not do so for ever.
_MOST_RETRIES = 10
_LOOK_EVERY_SECONDS = 0.5


@dataclass(eq=False)
class _Task:
    """A training that was handed to Ray; ``starts`` and ``since`` (monotonic) as far as its files tell."""

    run: PlannedRun
    starts: int = 0
    since: float = 0.0


def run_all(runs: Sequence[PlannedRun], slots: Sequence[Slot], stop: StopRequest, watcher: Watcher) -> list[Outcome]:
    """Train everything that is planned; see ``ensemble.scheduling.local.run_all``. Ray is connected already.

    Args:
        runs: Not finished ones.
        slots: At least one, all alike; as many tasks are handed to Ray at once, which starts them as its nodes allow.
        stop: Looked at about twice a second.
        watcher: Told of everything; a task that is started again after its node was lost is told as started again.

    Returns:
        One for each run that was started, in the order in which they ended.
    """
    ray, waiting, outcomes = import_ray(), deque(runs), list[Outcome]()
    active: dict[Any, _Task] = {}
    train = _remote(ray, slots[0])
    try:
        while (waiting or active) and not stop.reason:
            while waiting and len(active) < len(slots):
                task = _Task(_absolute(waiting.popleft()))
                _forget(task.run)
                active[train.remote(task.run, Path.cwd())] = task
            ended, _ = ray.wait(list(active), num_returns=1, timeout=_LOOK_EVERY_SECONDS)
            _look(active.values(), watcher)
            outcomes += [_end(ray, one, active.pop(one), watcher) for one in ended]
            begun = {task.run: read_progress(task.run.progress) for task in active.values() if task.starts}
            watcher.looked(begun, [*(task.run for task in active.values() if not task.starts), *waiting])
        stop.seen()
    finally:
        outcomes += _cancel(ray, active, watcher)
    return outcomes


def _remote(ray: Any, need: Slot) -> Any:
    """The task: ``num_cpus`` and ``num_gpus`` are reserved on its node for as long as it runs."""

    def train(run: PlannedRun, folder: Path) -> tuple[int, tuple[str, ...]]:
        node = f"{os.uname().nodename} ({ray.get_runtime_context().get_node_id()[:8]})"
        return train_on_node(run, folder, node)

    return ray.remote(num_cpus=need.cpus, num_gpus=need.gpus, max_retries=_MOST_RETRIES, scheduling_strategy="SPREAD")(
        train
    )


def _absolute(run: PlannedRun) -> PlannedRun:
    """Its files by paths that hold whatever the current folder of a worker is."""
    lock = None if run.lock is None else run.lock.absolute()
    return replace(run, log=run.log.absolute(), progress=run.progress.absolute(), lock=lock)


def _forget(run: PlannedRun) -> None:
    for path in (run.progress, place_of(run)):
        path.unlink(missing_ok=True)


def _look(tasks: Iterable[_Task], watcher: Watcher) -> None:
    """Tell of starts; of a second one, that it goes on."""
    for task in tasks:
        if (starts := starts_so_far(task.run)) > task.starts:
            watcher.started(replace(task.run, started=True) if task.starts else task.run)
            task.since = task.since or time.monotonic()
            task.starts = starts


def _end(ray: Any, reference: Any, task: _Task, watcher: Watcher) -> Outcome:
    try:
        code, lines = ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        code, lines = EXIT_UNFINISHED, last_lines(task.run.log)
    except ray.exceptions.RayError as error:  # its node was lost too often, or its function failed
        code, lines = EXIT_FAILED, (*last_lines(task.run.log), f"Ray: {type(error).__name__}: {error}")
    outcome = Outcome(task.run, code, time.monotonic() - task.since if task.starts else 0.0, tuple(lines))
    _forget(task.run)
    watcher.ended(outcome)
    return outcome


def _cancel(ray: Any, active: dict[Any, _Task], watcher: Watcher) -> list[Outcome]:
    """Tasks that wait are dropped; in those that run a KeyboardInterrupt has the training saved."""
    if not active:
        return []
    for reference in active:
        ray.cancel(reference)
    _, left = ray.wait(list(active), num_returns=len(active), timeout=GRACE_SECONDS + 10)
    for reference in left:
        ray.cancel(reference, force=True)
    _look(active.values(), watcher)
    return [_end(ray, one, task, watcher) for one, task in active.items() if task.starts]
