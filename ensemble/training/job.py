"""What one fold's training takes, tells and leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.data.loaders import ImageRows
from ensemble.errors import ArtefactError, many
from ensemble.models.description import Description
from ensemble.runs import FoldPaths
from ensemble.stopping import StopRequest
from ensemble.training.checkpoint import Checkpoint
from ensemble.training.history import EpochRow
from ensemble.training.precision import Precision
from ensemble.training.team import ALONE, Lock, Team


@dataclass(frozen=True)
class FoldStart:
    """How far earlier processes have come.

    Attributes:
        epoch: Epochs that are done.
        images: Done in the epoch after those.
    """

    epoch: int = 0
    images: int = 0


class Observer(Protocol):
    """Whoever shows the progress. All calls come from the training process."""

    def fold_started(self, *, n_images: int, start: FoldStart, notices: list[str]) -> None:
        """Before the first batch that is still to do, of ``n_images`` an epoch."""

    def batch_done(self, images: int, mean_loss: Callable[[], float]) -> None:
        """After a batch. ``mean_loss`` makes the host wait for the device: ask rarely."""

    def epoch_done(self, row: EpochRow) -> None:
        """After an epoch and its evaluation."""

    def weights_kept(self, epoch: int, why: str) -> None:
        """After the last epoch, where something was selected: the epoch whose weights are kept."""

    def predicting(self, split: str, n_images: int) -> None:
        """Before the rows of ``split`` are predicted."""

    def predicted(self, images: int) -> None:
        """After a batch of them."""


class SilentObserver:
    """Shows nothing."""

    def fold_started(self, *, n_images: int, start: FoldStart, notices: list[str]) -> None:
        """See ``Observer``, as for all of these."""

    def batch_done(self, images: int, mean_loss: Callable[[], float]) -> None:
        """Show nothing."""

    def epoch_done(self, row: EpochRow) -> None:
        """Show nothing."""

    def weights_kept(self, epoch: int, why: str) -> None:
        """Show nothing."""

    def predicting(self, split: str, n_images: int) -> None:
        """Show nothing."""

    def predicted(self, images: int) -> None:
        """Show nothing."""


@dataclass(frozen=True, eq=False)
class FoldData:
    """The rows of one fold.

    Attributes:
        training: Rows outside the fold, less ``inner``.
        inner: The slice that early stopping watches, group-disjoint from ``training``; None without.
        predict: By split (``oof``, ``holdout``, ``test``): the rows to predict at the end; ``oof`` is the
            held-out fold.
    """

    training: ImageRows
    inner: ImageRows | None
    predict: Mapping[str, ImageRows]


@dataclass(frozen=True)
class Hardware:
    """Where and how arithmetic is done.

    Attributes:
        workers: Data workers of each process.
        threads: Of each process.
        notice: How it differs from what was printed at the start, or empty.
        processes: That train together, on this machine or several.
    """

    device: torch.device
    precision: Precision
    workers: int
    threads: int
    notice: str = ""
    processes: int = 1

    def facts(self) -> dict[str, str | int]:
        """What the arithmetic's last bits depend on; a restart takes these over, but for the processes."""
        facts: dict[str, str | int] = {"device": self.device.type, "precision": self.precision.name}
        return {**facts, "threads": self.threads, "processes": self.processes}

    def as_in(self, checkpoint: Checkpoint | None) -> Hardware:
        """The same, with precision and threads of the run that is gone on with.

        Where another number of processes goes on, threads are as they are: the sums come in another order anyway.

        Raises:
            ArtefactError: That run is on another kind of device.
        """
        before = {} if checkpoint is None else checkpoint.hardware
        device = before.get("device", self.device.type)
        if checkpoint is not None and device != self.device.type:
            raise ArtefactError(
                f"{checkpoint.path}: this unfinished fold was started on {device}, and would go on on "
                f"{self.device.type} with other results. Give --device {device}, or --overwrite to start anew"
            )
        precision, processes = self.precision, before.get("processes", 1 if before else self.processes)
        same = processes == self.processes and device == "cpu"  # elsewhere no bit depends on the processor's threads
        threads = before.get("threads", self.threads) if same else self.threads
        if before.get("precision", precision.name) != precision.name:
            precision = Precision(before["precision"], "the run was started with it", device)
        said = f"goes on in {precision.name} with {many(threads, 'thread')}, as it was started, for the same results"
        if processes != self.processes:
            said = f"was started with {processes} and goes on with {self.processes} processes: results differ a little"
        elif (precision, threads) == (self.precision, self.threads):
            return self
        return replace(self, precision=precision, threads=threads, notice=said)


@dataclass(frozen=True)
class Pacing:
    """When training stops, and how often it is saved.

    Attributes:
        stop: Looked at after every update.
        checkpoint_seconds: Between two checkpoints, whatever they cost; None: see ``CheckpointWriter``.
    """

    stop: StopRequest = field(default_factory=StopRequest)
    checkpoint_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class FoldJob:
    """Where, with what and under which conditions one fold is trained.

    Attributes:
        paths: Checkpoint, metrics and weights go there.
        lock: On the fold's folder; checked before anything is written.
        facts: What a checkpoint must agree with; ``facts["fold"]`` also seeds the weights.
        checkpoint: What an earlier process left; None to begin.
        team: Who trains together.
    """

    paths: FoldPaths
    lock: Lock
    hardware: Hardware
    facts: Mapping[str, str | int]
    pacing: Pacing
    checkpoint: Checkpoint | None
    team: Team = ALONE


@dataclass(frozen=True, eq=False)
class FoldOutcome:
    """What a fold leaves.

    Attributes:
        logits: By split, shape (N, C), float32.
        chosen_epoch: Whose weights were used, from 1.
        rows: An epoch each.
        start: How far earlier processes had come.
        checkpoints: How many this process wrote, and the seconds that they took.
        network: What was trained, in numbers.
    """

    logits: Mapping[str, NDArray[np.float32]]
    chosen_epoch: int
    rows: list[EpochRow]
    start: FoldStart
    checkpoints: dict[str, float]
    network: Description
