"""What the parts of ``faults.py`` share: starting a training, hurting it, and looking at what it left."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# As the file is imported by a script, the script's folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MEMBERS = ("cnn2", "lstm")
SETTINGS = ("data.image_size=48", "data.n_folds=2", "training.batch_size=16", "training.ema_decay=0.99")


@dataclass
class Child:
    """A training under way.

    Attributes:
        pid: Its process, the first of a group of its own.
        output: Where its terminal output goes.
        started: ``time.monotonic()`` of the start.
    """

    pid: int
    output: Path
    started: float

    def wait(self, seconds: float = 3600.0) -> int | None:
        """Its exit code (minus a signal's number, if one killed it); None if it still runs after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() >= deadline:
                return None
            time.sleep(min(0.005, max(0.0, deadline - time.monotonic())))

    def said(self) -> str:
        """What it printed last: one line, as an error should be."""
        lines = self.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "(nothing)"

    def tracebacks(self) -> int:
        """How many it printed."""
        return self.output.read_text(encoding="utf-8", errors="replace").count("Traceback")


@dataclass
class Lab:
    """A small dataset, and the commands that train on it."""

    folder: Path
    epochs: int
    checkpoint_seconds: int | None
    slowest_seconds: float = 0.0

    @property
    def data(self) -> Path:
        """The dataset."""
        return self.folder / "phantoms"

    def make_data(self, images: int) -> None:
        """Draw the phantoms."""
        from ensemble import demo

        with contextlib.redirect_stdout(io.StringIO()):
            demo.main([str(self.data), "--images", str(images)])
        (self.data / "dataset.yaml").unlink(missing_ok=True)  # its number of folds would win over ours

    def arguments(self, member: str, runs: Path, *more: str) -> list[str]:
        """Of the command; without ``more``, all folds."""
        settings = [f"training.epochs={self.epochs}", *SETTINGS]
        words = [str(ROOT / "recipes" / f"{member}.yaml"), "--data", str(self.data), "--runs", str(runs)]
        words += ["--device", "cpu"]
        words += [] if self.checkpoint_seconds is None else ["--checkpoint-seconds", str(self.checkpoint_seconds)]
        words += [word for setting in settings for word in ("--set", setting)]
        return [*words, *(more or ("--all-folds",))]

    def fork(self, member: str, runs: Path, *more: str) -> Child:
        """Train in a fork of this process, which has imported everything: a start costs a tenth of a second."""
        from ensemble import train
        from ensemble.command import run_command

        output = self.folder / "output.txt"
        pid = os.fork()
        if pid:
            return Child(pid, output, time.monotonic())
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.argv = ["ensemble.train", *self.arguments(member, runs, *more)]
        code = 1
        try:
            code = run_command(train.main)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def start(self, member: str, runs: Path, *more: str) -> Child:
        """Train by the command, as a user types it."""
        output = self.folder / f"output_{time.monotonic_ns()}.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "ensemble.train", *self.arguments(member, runs, *more)],
                stdout=stream,
                stderr=stream,
                cwd=ROOT,
                start_new_session=True,
            )
        process.returncode = 0  # we wait for it by its number
        return Child(process.pid, output, time.monotonic())


def import_all() -> None:
    """Everything that a training imports, and nothing that starts a thread."""
    from ensemble.command import share_cores

    share_cores()
    import ensemble.report.progress
    import ensemble.report.start
    import ensemble.training.checks
    import ensemble.training.member
    import ensemble.training.start  # noqa: F401


def member_folder(runs: Path, member: str) -> Path:
    return runs / "phantoms" / member


def tables(runs: Path, member: str) -> dict[str, bytes]:
    """Every final table and the weights, by their place in the member's folder."""
    folder = member_folder(runs, member)
    paths = [*folder.rglob("*.parquet"), *folder.rglob("model.safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


def last_saved(runs: Path, since: float) -> float:
    """When work was last made safe: a checkpoint, a finished fold, or the start (``time.time()``)."""
    safe = [*runs.rglob("checkpoint.pt"), *runs.rglob("run.json"), *runs.rglob("cache.json")]
    return max([since, *(path.stat().st_mtime for path in safe)])


def inventory(runs: Path) -> list[str]:
    """File by file, what is there and whether it can be read; the cache of images and locks are left out."""
    lines = []
    for path in sorted(runs.rglob("*")):
        if path.is_dir() or path.name == ".lock" or "cache" in path.relative_to(runs).parts[:-1]:
            continue
        lines.append(f"{path.relative_to(runs)}: {_state(path)}")
    return lines


def _state(path: Path) -> str:
    if path.name.endswith(".tmp"):
        return "LEFT OVER"
    try:
        return f"whole, {_content(path)}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the file is not whole
        return f"DAMAGED ({type(error).__name__}: {error})"


def _content(path: Path) -> str:
    import pyarrow.parquet as pq
    import torch
    from safetensors import safe_open

    match path.suffix:
        case ".parquet":
            return f"{pq.ParquetFile(path).read(use_threads=False).num_rows} rows"
        case ".pt":
            return f"update {torch.load(path, weights_only=True)['updates']}"
        case ".safetensors":
            with safe_open(path, "pt") as stream:
                return f"{len(stream.keys())} tensors"
        case ".json":
            return f"{len(json.loads(path.read_text()))} keys"
    text = path.read_text()
    if not text.endswith("\n"):
        raise ValueError("cut short")
    return f"{len(text.splitlines())} lines"


def kill_hard(child: Child) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    return child.wait()


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder
