"""The two loops: one epoch of training, and logits for a set of rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils.clip_grad import dispatch_clip_grad
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from ensemble.data.loaders import Batch, BatchLoader
from ensemble.data.shares import Share
from ensemble.errors import TrainingDiverged
from ensemble.training.compiled import Forward
from ensemble.training.frozen import FrozenBackbone
from ensemble.training.meter import EpochHooks, EpochPosition, LossMeter
from ensemble.training.mirror import mirrored_logits
from ensemble.training.optim import Schedule, updates_in_epoch
from ensemble.training.pixels import Pixels
from ensemble.training.precision import Precision
from ensemble.training.sizes import ImageSize
from ensemble.training.team import ALONE, Team

# How often the device is asked whether the loss is still finite: each question makes the host wait.
_CHECK_EVERY_BATCHES = 100
REMEDY = "Try a lower optimizer.lr, training.clip_norm: 1.0, a warm-up, or precision: float32"
"""What a user can do about a loss that is not finite."""


@dataclass(eq=False)
class TrainingState:
    """All that changes while a fold is trained.

    Attributes:
        updates: Optimizer updates so far, over all epochs. One that the scaler skipped, because a float16 gradient
            overflowed, counts: the schedule follows the data, and the average of unchanged weights is unchanged.
        backbone: What stands still in the first epochs.
        forward: What training calls in place of ``model``: translated, or shared among processes; None: itself.
    """

    model: nn.Module
    ema: ModelEmaV3 | None
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    updates: int = 0
    backbone: FrozenBackbone = field(default_factory=lambda: FrozenBackbone(0, (), ()))
    forward: Forward | None = None

    def final_model(self) -> nn.Module:
        """The network whose predictions count: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module


@dataclass(frozen=True)
class StepSettings:
    """How a batch becomes an update.

    Attributes:
        sizes: Height and width of each epoch's images; empty: as stored, always.
        team: Who trains together.
    """

    loss: nn.Module
    pixels: Pixels
    precision: Precision
    accumulation_steps: int = 1
    clip_norm: float | None = None
    sizes: tuple[ImageSize, ...] = ()
    team: Team = ALONE

    def of_epoch(self, epoch: int) -> StepSettings:
        """The same, for the size of the images of ``epoch``, from 0."""
        return replace(self, pixels=replace(self.pixels, size=self.sizes[epoch])) if self.sizes else self

    def is_full_size(self, epoch: int) -> bool:
        """Whether the images of ``epoch``, from 0, have the size of those that are predicted."""
        return not self.sizes or self.sizes[epoch] == self.sizes[-1]


def train_one_epoch(
    state: TrainingState,
    loader: BatchLoader,
    settings: StepSettings,
    *,
    epoch: int,
    start: EpochPosition = EpochPosition(),  # noqa: B008 - frozen
    hooks: EpochHooks = EpochHooks(),  # noqa: B008 - frozen
) -> EpochPosition:
    """Train on every row of ``loader`` once.

    Args:
        state: Changed in place.
        loader: The training rows.
        settings: Loss, precision, accumulation, clipping.
        epoch: From 0; fixes the order and the augmentation.
        start: How far an earlier process has come; ``state`` is as it was then.
        hooks: Told of the progress.

    Returns:
        The position at the end: its loss, images and seconds are the epoch's.

    Raises:
        TrainingDiverged: The loss stopped being finite.
    """
    state.backbone.prepare(state.model, epoch)
    settings = settings.of_epoch(epoch)
    meter = LossMeter(settings.pixels.device, start)
    started = time.perf_counter()
    done = start.batches

    def position() -> EpochPosition:
        _refuse_divergence(meter, state, loader, epoch=epoch, steps=settings.accumulation_steps)
        return EpochPosition(done, meter.images, meter.total(), start.seconds + time.perf_counter() - started)

    group_ends = islice(_group_ends(len(loader), settings.accumulation_steps), done, None)
    for batch, (is_end, group_size) in zip(loader.epoch(epoch, first_batch=done), group_ends, strict=True):
        hooks.before_batch(done)
        state.schedule.set_for(state.updates)
        with settings.team.gradients(complete=is_end):
            loss = _forward_loss(state, batch, settings, loader.order.share)
            state.scaler.scale(loss / (group_size / settings.team.processes)).backward()  # type: ignore[no-untyped-call]
        meter.add(loss.detach(), done, len(batch.positions))
        done += 1
        if is_end:
            _update(state, settings.clip_norm)
        if done % _CHECK_EVERY_BATCHES == 0:
            position()
        hooks.on_batch(len(batch.positions), meter.mean)
        if is_end:
            hooks.on_update(position)
    return position()


def _group_ends(n_batches: int, accumulation_steps: int) -> Iterator[tuple[bool, int]]:
    """For every batch: is it the last before an update, and over how many batches is that update."""
    for group in range(updates_in_epoch(n_batches, accumulation_steps)):
        size = min(accumulation_steps, n_batches - group * accumulation_steps)
        for place in range(size):
            yield place == size - 1, size


def _forward_loss(state: TrainingState, batch: Batch, settings: StepSettings, share: Share) -> torch.Tensor:
    """Of the whole batch, whoever computes its parts: a loss may be no mean over images, and labels may be missing."""
    forward = state.model if state.forward is None else state.forward
    labels = batch.labels.to(settings.pixels.device, non_blocking=True)
    with settings.precision.autocast():
        logits = forward(settings.pixels(batch.images))
    whole = settings.team.whole_batch(logits.float(), share, len(labels))
    loss: torch.Tensor = settings.loss(whole, labels)
    return loss


def _update(state: TrainingState, clip_norm: float | None) -> None:
    if clip_norm is not None:
        state.scaler.unscale_(state.optimizer)
        dispatch_clip_grad(state.model.parameters(), clip_norm, mode="norm")
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    # Weights that were fit for smaller images spoil an average: with each size it begins with the first update's.
    begin, _ = state.schedule.part_of(state.updates)
    state.updates += 1
    if state.ema is not None:
        state.ema.update(state.model, step=state.updates - begin)


def _refuse_divergence(meter: LossMeter, state: TrainingState, loader: BatchLoader, *, epoch: int, steps: int) -> None:
    bad = meter.first_bad()
    if bad < 0:
        return
    update = epoch * updates_in_epoch(len(loader), steps) + bad // steps
    state.schedule.set_for(update)  # training is over: this asks for the rate of then, which is not that of now
    raise TrainingDiverged(
        f"the training loss is not finite from epoch {epoch + 1}, batch {bad + 1} of {len(loader)} (update "
        f"{update + 1}, learning rate {state.schedule.learning_rate():.3g}; ids {loader.names_of(epoch, bad)}). "
        f"{REMEDY}"
    )


@torch.inference_mode()
def batch_logits(
    model: nn.Module, images: torch.Tensor, *, pixels: Pixels, precision: Precision, mirrored: bool = False
) -> torch.Tensor:
    """Logits of one batch, shape (B, C), float32, on the device.

    Args:
        model: Set to ``eval``.
        images: Shape (B, 1, H, W), uint8, or float32 in [0, 1].
        pixels: To network input.
        precision: Of the forward pass.
        mirrored: Whether each image is averaged with its mirror image.
    """

    def logits(images: torch.Tensor) -> torch.Tensor:
        with precision.autocast():
            found: torch.Tensor = model(pixels(images))
        return found.float()

    return mirrored_logits(logits, images) if mirrored else logits(images)


@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    loader: BatchLoader,
    *,
    pixels: Pixels,
    precision: Precision,
    mirrored: bool = False,
    on_batch: Callable[[int], None] = lambda _images: None,
) -> NDArray[np.float32]:
    """Logits of all rows of ``loader``, shape (N, C), float32, in the loader's order.

    Raises:
        TrainingDiverged: A logit is not finite: the last update broke the weights, or the precision is too narrow.
    """
    model.eval()
    parts = []
    for batch in loader.epoch(0):
        parts.append(batch_logits(model, batch.images, pixels=pixels, precision=precision, mirrored=mirrored))
        on_batch(len(batch.images))
    result: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    bad = int((~np.isfinite(result)).any(axis=1).sum())
    if bad:
        raise TrainingDiverged(f"the network's logits are not finite for {bad:,} of {len(result):,} images. {REMEDY}")
    return result
