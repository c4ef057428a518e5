"""Training, as a person watches it: a bar on a terminal, plain lines anywhere else, and the same lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ensemble.errors import StorageError
from ensemble.files import append_line

if TYPE_CHECKING:
    from ensemble.training.history import EpochRow
    from ensemble.training.job import FoldStart

# The running loss lies on the device: reading it makes the device wait, so it is read this often at most.
_LOSS_EVERY_SECONDS = 0.5


class FoldProgress:
    """Shows one fold's training. Use it as a context; it is the observer of ``fit_fold``."""

    def __init__(self, console: Console, *, title: str, epochs: int, log: Path) -> None:
        """Prepare, show nothing yet.

        Args:
            console: Where to show it.
            title: Member and fold.
            epochs: How many the recipe wants.
            log: Receives the plain lines, appended.
        """
        self._console = console
        self._title = title
        self._epochs = epochs
        self._log = log
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[speed]:>6} images/s  loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._epoch = 0
        self._images = 0
        self._epoch_started = 0.0
        self._loss_read = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
        # Before the fold has started, the log may be another process's.
        if kind is not None and self._task is not None:
            with suppress(StorageError):  # the disk may be what has failed: that error is the one to show
                self._write_log(f"stopped: {error}" if str(error) else f"stopped: {kind.__name__}")

    def fold_started(self, *, n_images: int, start: FoldStart, notices: list[str]) -> None:
        """See ``ensemble.training.job.Observer``."""
        for notice in notices:
            self.say(f"{self._title}  note: {notice}")
        if start.images:
            where = f"in epoch {start.epoch + 1} of {self._epochs}, after {start.images:,} of {n_images:,} images"
            self.say(f"{self._title}  going on {where}")
        elif start.epoch:
            self.say(f"{self._title}  going on after epoch {start.epoch} of {self._epochs}")
        self._epoch = start.epoch
        self._start_task(total=n_images * self._epochs, completed=n_images * start.epoch + start.images)
        self._start_epoch()

    def batch_done(self, images: int, mean_loss: Callable[[], float]) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._images += images
        if self._task is None or self._bar.disable:
            return
        now = time.perf_counter()
        self._bar.advance(self._task, images)
        if now - self._loss_read > _LOSS_EVERY_SECONDS:
            self._loss_read = now
            speed = self._images / max(1e-9, now - self._epoch_started)
            self._bar.update(self._task, speed=f"{speed:,.0f}", loss=f"{mean_loss():.4f}")

    def epoch_done(self, row: EpochRow) -> None:
        """See ``ensemble.training.job.Observer``."""
        self.say(f"{self._title}  {describe_epoch(row, self._epochs)}")
        self._epoch = row.epoch
        self._start_epoch()

    def weights_kept(self, epoch: int, why: str) -> None:
        """See ``ensemble.training.job.Observer``."""
        self.say(f"{self._title}  keeps the weights of epoch {epoch} of {self._epoch}: {why}")

    def predicting(self, split: str, n_images: int) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._start_task(total=n_images, completed=0, doing=f"predicting {split} rows")

    def predicted(self, images: int) -> None:
        """See ``ensemble.training.job.Observer``."""
        if self._task is not None:
            self._bar.advance(self._task, images)

    def say(self, line: str) -> None:
        """Print a line above the bar, and log it."""
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        self._write_log(line)

    def _start_task(self, *, total: int, completed: int, doing: str = "") -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(
            f"{self._title}  {doing}", total=total, completed=completed, speed="…", loss="…"
        )

    def _start_epoch(self) -> None:
        self._images = 0
        self._epoch_started = time.perf_counter()
        if self._task is not None and self._epoch < self._epochs:
            self._bar.update(self._task, description=f"{self._title}  epoch {self._epoch + 1}/{self._epochs}")

    def _write_log(self, line: str) -> None:
        append_line(self._log, line)


def describe_epoch(row: EpochRow, epochs: int) -> str:
    """One line, fixed fields: epoch, losses and scores at 0.5 (if there are any), speed, seconds."""
    inner = "" if math.isnan(row.inner_loss) else f"  inner loss {row.inner_loss:.4f}"
    number = f"{row.epoch:>{len(str(epochs))}}/{epochs}"
    scores = (
        f"  fold loss {row.fold_loss:.4f}{inner}  macro-F1 at 0.5 {row.fold_macro_f1:.4f}"
        f"  average precision {row.fold_macro_average_precision:.4f}"
    )
    if math.isnan(row.fold_loss) and math.isnan(row.fold_macro_f1):
        scores = "  not scored"
    return (
        f"epoch {number}  train loss {row.train_loss:.4f}{scores}"
        f"  {row.train_images_per_second:,.0f} images/s  {row.seconds:.1f} s"
    )
