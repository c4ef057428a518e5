"""What the steps of a fold's story share: its parts, and how it predicts, saves and stops."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.data.loaders import BatchLoader, ImageRows, evaluation_loader
from ensemble.errors import Unfinished
from ensemble.recipe import Recipe
from ensemble.training.checkpoint import CheckpointWriter
from ensemble.training.engine import StepSettings, TrainingState, predict_logits
from ensemble.training.history import History
from ensemble.training.job import FoldData, FoldJob, Observer
from ensemble.training.meter import EpochPosition
from ensemble.training.team import Team

EVALUATION_BATCHES = 2
"""Batches at once where logits are predicted: that keeps no activations for a backward pass, so more fits."""


@dataclass(eq=False)
class Fold:
    """One fold, while it is trained.

    Attributes:
        position: How far the present epoch has come.
        held_out_logits: Of the last epoch's weights, shape (N, C); None: they have to be predicted.
        doing: What is done at present, in words, for messages.
    """

    recipe: Recipe
    data: FoldData
    job: FoldJob
    observer: Observer
    state: TrainingState
    settings: StepSettings
    training: BatchLoader
    checkpoint: CheckpointWriter
    history: History = field(default_factory=History)
    position: EpochPosition = field(default_factory=EpochPosition)
    held_out_logits: NDArray[np.float32] | None = None
    doing: str = "at the start"

    @property
    def device(self) -> torch.device:
        """Where it is trained."""
        return self.job.hardware.device

    @property
    def team(self) -> Team:
        """Who trains it."""
        return self.job.team

    def predict(
        self, rows: ImageRows, on_batch: Callable[[int], None], epoch: int = -1, *, mirrored: bool = False
    ) -> NDArray[np.float32]:
        """Logits of all rows, shape (N, C), in their order; each process predicts its part of them.

        Args:
            rows: N of them.
            on_batch: Called after each batch with its number of images, as often in each process (0 where this one
                has no more).
            epoch: Of whose images' size; the last epoch's is the full one.
            mirrored: Whether each image is averaged with its mirror image.
        """
        share, model = self.team.share, self.state.final_model()
        self.team.spread_buffers(model)
        batch_size = -(-self.recipe.training.batch_size * EVALUATION_BATCHES // share.processes)
        self.doing = f"while images were predicted, {batch_size:,} at once"
        gpu = self.device if self.device.type == "cuda" else None
        loader = evaluation_loader(self.team.own_rows(rows), batch_size=batch_size, workers=0, gpu=gpu)
        own = predict_logits(
            model,
            loader,
            pixels=self.settings.of_epoch(epoch).pixels,
            precision=self.settings.precision,
            mirrored=mirrored,
            on_batch=on_batch,
        )
        for _ in range(-(-share.largest(len(rows)) // batch_size) - len(loader)):
            on_batch(0)
        return self.team.whole_table(own, len(rows))

    def save(self) -> None:
        """Write a checkpoint of this very moment: nothing may be half done. One process does it for all."""
        if not self.team.leads:
            return
        self.doing = "while a checkpoint was written"
        self.job.lock.check()
        progress = {"history": self.history.to_state(), "position": dataclasses.asdict(self.position)}
        self.checkpoint.write(self.state, progress)

    def wish_to_stop(self) -> str:
        """Who has asked to stop, this process or another that trains with it; empty if nobody."""
        return self.team.agree(self.job.pacing.stop.reason)

    def stop(self, why: str, where: str, *, save: bool = True) -> None:
        """Save, and raise Unfinished.

        Of several processes none ends before the checkpoint is whole: torchrun kills the others soon after one has.
        """
        self.job.pacing.stop.seen()
        if save:
            self.save()
            self.team.agree()
        raise Unfinished(f"stopped by {why}, {where}; the same command goes on from there")
