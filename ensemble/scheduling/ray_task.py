"""What runs on a node of a Ray cluster: the training of one fold, as a process of its own beneath the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ensemble.errors import EXIT_BAD_INPUT, EXIT_UNFINISHED, ArtefactError, EnsembleError
from ensemble.files import locked, read_json, storage_errors, write_json
from ensemble.scheduling.guard import KILLED
from ensemble.scheduling.local import GRACE_SECONDS, last_lines
from ensemble.scheduling.plan import PlannedRun

_LOOK_EVERY_SECONDS = 0.1
# A training on a lost node may still be saving, and a file server keeps the locks of a machine that is gone for a
# while: NFS 4 for 90 seconds by default.
_LOCK_SECONDS = 180.0


def train_on_node(run: PlannedRun, folder: Path, node: str) -> tuple[int, tuple[str, ...]]:
    """Train, and wait for the end; asked to stop (KeyboardInterrupt), the training saves before it ends.

    Args:
        run: Its log, progress and lock by absolute paths, on storage that all nodes share.
        folder: The current folder of the command that planned it, where relative paths begin.
        node: What this node is called, for people.

    Returns:
        Exit code (negative: killed by that signal) and the last lines of the log.
    """
    try:
        return _train(run, folder, node)
    except EnsembleError as error:
        return error.exit_code, (f"on node {node}: {error}",)
    except KeyboardInterrupt:  # before there was anything to save
        return EXIT_UNFINISHED, ()


def _train(run: PlannedRun, folder: Path, node: str) -> tuple[int, tuple[str, ...]]:
    if not folder.is_dir():
        return EXIT_BAD_INPUT, (
            f"node {node} has no folder {folder}: all nodes need the same paths, on shared storage",
        )
    with storage_errors(run.log):
        run.log.parent.mkdir(parents=True, exist_ok=True)
        run.progress.unlink(missing_ok=True)
    start = note_start(run, node)
    wait_for_lock(run)
    with storage_errors(run.log):
        log = run.log.open("ab", buffering=0)
        log.write(f"-- on node {node}, start {start}\n".encode())
    with log:
        code = _watch(_start(run, folder, log.fileno()))
    return code, last_lines(run.log)


def _start(run: PlannedRun, folder: Path, log: int) -> subprocess.Popen[bytes]:
    """The guard and, beneath it, the planned command with this node's Python."""
    guard = (sys.executable, "-m", "ensemble.scheduling.guard", str(os.getpid()))
    return subprocess.Popen(  # noqa: S603 - our own command
        [*guard, sys.executable, *run.command[1:]],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # signals to the worker's group are not for it
    )


def _watch(guard: subprocess.Popen[bytes]) -> int:
    asked = False
    try:
        while guard.poll() is None:
            time.sleep(_LOOK_EVERY_SECONDS)  # and not wait(), which Ray's KeyboardInterrupt does not reach
    except KeyboardInterrupt:
        asked = True
        guard.terminate()
        try:
            guard.wait(GRACE_SECONDS + 5)  # the guard itself kills a training that does not end
        except subprocess.TimeoutExpired:
            os.killpg(guard.pid, signal.SIGKILL)
            guard.wait()
    code: int = guard.returncode if guard.returncode <= KILLED else KILLED - guard.returncode
    # Asked before it, or the training, could answer: there is nothing to save yet.
    return EXIT_UNFINISHED if asked and code == -signal.SIGTERM else code


def place_of(run: PlannedRun) -> Path:
    """The file that says on which node a run was started last, and how often; only there while it runs."""
    return run.progress.with_suffix(".node.json")


def starts_so_far(run: PlannedRun) -> int:
    """How often the task of this run has been started, as far as it can be seen here."""
    try:
        return int(read_json(place_of(run))["starts"])
    except (ArtefactError, KeyError, TypeError, ValueError):
        return 0


def note_start(run: PlannedRun, node: str) -> int:
    """Count a start, for whoever watches; the number is returned."""
    starts = starts_so_far(run) + 1
    write_json(place_of(run), {"starts": starts, "node": node})
    return starts


def wait_for_lock(run: PlannedRun, seconds: float = _LOCK_SECONDS) -> None:
    """Wait while a lost node's training still holds the fold; after ``seconds`` the training itself says who does."""
    if run.lock is None:
        return
    deadline, told = time.monotonic() + seconds, False
    while time.monotonic() < deadline:
        try:
            with locked(run.lock):
                return
        except ArtefactError:
            if not told:
                told = True
                waiting = {"done": 0, "total": 0, "images_per_second": 0.0, "doing": "waiting for the fold's lock"}
                write_json(run.progress, waiting)
        time.sleep(_LOOK_EVERY_SECONDS)
