"""How far a fold's training is, as a small file that another process reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ensemble.training.history import EpochRow
from ensemble.training.job import FoldStart, Observer

_EVERY_SECONDS = 1.0


class ProgressFile:
    """An observer that passes everything on and keeps the file: ``{"done", "total", "images_per_second", "doing"}``.

    A file that cannot be written is no reason to stop training: whoever reads it then sees nothing new.
    """

    def __init__(self, observer: Observer, path: Path, *, epochs: int) -> None:
        """Write nothing yet.

        Args:
            observer: Told first.
            path: The file, replaced as a whole, about once a second.
            epochs: How many the recipe wants.
        """
        self._observer, self._path, self._epochs = observer, path, epochs
        self._per_epoch = self._done = self._here = 0
        self._written = self._started = 0.0

    def fold_started(self, *, n_images: int, start: FoldStart, notices: list[str]) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.fold_started(n_images=n_images, start=start, notices=notices)
        self._per_epoch, self._done = n_images, n_images * start.epoch + start.images
        self._started = time.perf_counter()

    def batch_done(self, images: int, mean_loss: Callable[[], float]) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.batch_done(images, mean_loss)
        self._done += images
        self._here += images
        if time.perf_counter() - self._written > _EVERY_SECONDS:
            self._write("training")

    def epoch_done(self, row: EpochRow) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.epoch_done(row)
        self._done = self._per_epoch * row.epoch
        self._write("training")

    def weights_kept(self, epoch: int, why: str) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.weights_kept(epoch, why)

    def predicting(self, split: str, n_images: int) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.predicting(split, n_images)
        self._done = self._per_epoch * self._epochs
        self._write(f"predicting {split} rows")

    def predicted(self, images: int) -> None:
        """See ``ensemble.training.job.Observer``."""
        self._observer.predicted(images)

    def _write(self, doing: str) -> None:
        self._written = time.perf_counter()
        speed = self._here / max(1e-9, self._written - self._started)
        content = {
            "done": self._done,
            "total": self._per_epoch * self._epochs,
            "images_per_second": speed,
            "doing": doing,
        }
        whole = self._path.with_suffix(".part")
        with suppress(OSError):
            whole.write_text(json.dumps(content), encoding="utf-8")
            whole.replace(self._path)
