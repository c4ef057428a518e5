"""One fold's story: build, go on from a checkpoint, train, watch, choose the weights, predict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ensemble import metrics
from ensemble.data.augment import build_augmentation
from ensemble.data.loaders import BatchLoader, ImageRows, evaluation_loader, training_loader
from ensemble.errors import Unfinished, many
from ensemble.models.description import describe_model
from ensemble.recipe import Recipe
from ensemble.seeds import derive_seed
from ensemble.training.build import build_settings, build_state
from ensemble.training.checkpoint import CheckpointWriter, write_weights
from ensemble.training.checks import check_lone_image
from ensemble.training.engine import EpochHooks, StepSettings, TrainingState, predict_logits, train_one_epoch
from ensemble.training.history import EpochRow, History
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, FoldStart, Observer
from ensemble.training.meter import EpochPosition

# Evaluation keeps no activations for a backward pass, so larger batches fit.
EVALUATION_BATCHES = 2


@dataclass(eq=False)
class _Fold:
    """What the steps of the story share."""

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
    held_out_logits: NDArray[np.float32] | None = None  # of the last epoch's weights

    @property
    def device(self) -> torch.device:
        return self.job.hardware.device

    def predict(self, rows: ImageRows, on_batch: Callable[[int], None], epoch: int = -1) -> NDArray[np.float32]:
        """At the size of the images of ``epoch``; the last epoch's is the full one."""
        batch_size = self.recipe.training.batch_size * EVALUATION_BATCHES
        loader = evaluation_loader(rows, batch_size=batch_size, workers=0, pin=self.device.type == "cuda")
        return predict_logits(
            self.state.final_model(),
            loader,
            pixels=self.settings.of_epoch(epoch).pixels,
            precision=self.settings.precision,
            on_batch=on_batch,
        )

    def save(self) -> None:
        """Write a checkpoint of this very moment: nothing may be half done."""
        self.job.lock.check()
        progress = {"history": self.history.to_state(), "position": dataclasses.asdict(self.position)}
        self.checkpoint.write(self.state, progress)

    def stop(self, where: str, *, save: bool = True) -> None:
        """Save, and raise Unfinished."""
        self.job.pacing.stop.seen()
        if save:
            self.save()
        raise Unfinished(f"stopped by {self.job.pacing.stop.reason}, {where}; the same command goes on from there")


def fit_fold(recipe: Recipe, data: FoldData, job: FoldJob, observer: Observer) -> FoldOutcome:
    """Train one fold's model and predict its rows.

    Args:
        recipe: What to train.
        data: On what.
        job: Where and how; a checkpoint in it is gone on from.
        observer: Is told of the progress.

    Raises:
        TrainingDiverged: The loss, a weight or a logit stopped being finite; the last checkpoint is kept.
        RecipeError: A batch would hold a single image, and the network cannot train on one.
        ArtefactError: The checkpoint is damaged.
        StorageError: The disk is full, read-only or gone; the last checkpoint is kept.
        Unfinished: Somebody asked to stop; a checkpoint of that moment is written.
    """
    fold, notices = _set_up(recipe, data, job, observer=observer)
    start = _resume(fold)
    observer.fold_started(n_images=len(data.training), start=start, notices=notices)
    for epoch in range(start.epoch, recipe.training.epochs):
        if fold.history.should_stop(recipe.training):
            break
        _run_epoch(fold, epoch)
    chosen_epoch = fold.history.choose_weights(fold.state.final_model())
    fold.held_out_logits = fold.held_out_logits if chosen_epoch == len(fold.history.rows) else None
    if why := fold.history.why_chosen(recipe.training, chosen_epoch):
        observer.weights_kept(chosen_epoch, why)
    logits = {split: _predict_split(fold, split, rows) for split, rows in data.predict.items()}
    job.lock.check()
    write_weights(job.paths.weights, fold.state.final_model())
    cost = {"checkpoints_written": fold.checkpoint.written, "checkpoint_seconds": round(fold.checkpoint.seconds, 3)}
    return FoldOutcome(logits, chosen_epoch, fold.history.rows, start, cost, describe_model(fold.state.model))


def _set_up(recipe: Recipe, data: FoldData, job: FoldJob, *, observer: Observer) -> tuple[_Fold, list[str]]:
    hardware = job.hardware
    seed = derive_seed(recipe.seed, "fold", job.facts["fold"])
    torch.manual_seed(seed)
    loader = training_loader(
        data.training,
        batch_size=recipe.training.batch_size,
        seed=seed,
        augmentation=build_augmentation(recipe.augment, recipe.data.image_size) if recipe.augment else None,
        workers=hardware.workers,
        pin=hardware.device.type == "cuda",
    )
    n_classes = data.training.labels.shape[1]
    state, notices = build_state(recipe, hardware, n_classes=n_classes, n_batches=len(loader))
    if min(len(data.training), recipe.training.batch_size) == 1:
        check_lone_image(state.model, recipe.data.image_size, hardware.device)
    settings = build_settings(recipe, data.training, hardware, state.model)
    writer = CheckpointWriter(job.paths.checkpoint, job.facts, hardware.facts(), job.pacing.checkpoint_seconds)
    fold = _Fold(recipe, data, job, observer, state, settings, loader, writer)
    return fold, [*filter(None, [hardware.notice]), *notices, *_inner_notice(fold)]


def _resume(fold: _Fold) -> FoldStart:
    checkpoint = fold.job.checkpoint
    if checkpoint is not None:
        checkpoint.restore(fold.state, fold.device)
        # Version 1 kept the history beside other things, and no position: it was written at epochs' ends.
        fold.history = History.from_state(checkpoint.progress.get("history", checkpoint.progress))
        fold.position = EpochPosition(**checkpoint.progress.get("position", {}))
    # An epoch that was trained after the checkpoint has left a row that will come again.
    fold.history.write(fold.job.paths.metrics)
    return FoldStart(len(fold.history.rows), fold.position.images)


def _run_epoch(fold: _Fold, epoch: int) -> None:
    started = time.perf_counter() - fold.position.seconds
    if fold.position.batches == 0:
        # Dropout and its like draw from this, and a checkpoint within the epoch holds how far they have come.
        torch.manual_seed(derive_seed(fold.recipe.seed, "epoch", epoch))
    fold.position = _train(fold, epoch)
    row = _evaluate(fold, epoch, started)
    fold.history.rows.append(row)
    fold.position = EpochPosition()
    fold.job.lock.check()
    fold.history.write(fold.job.paths.metrics)
    fold.observer.epoch_done(row)
    last = epoch + 1 == fold.recipe.training.epochs or fold.history.should_stop(fold.recipe.training)
    if fold.checkpoint.is_due(epoch_end=True, last=last):
        fold.save()


def _train(fold: _Fold, epoch: int) -> EpochPosition:
    """The epoch's updates, from where they are; stopped or saved between two of them."""
    stop = fold.job.pacing.stop

    def between_updates(position: Callable[[], EpochPosition]) -> None:
        if stop.reason:
            fold.position = position()
            fold.stop(f"in epoch {epoch + 1} of {fold.recipe.training.epochs}")
        if fold.checkpoint.is_due(epoch_end=False):
            fold.position = position()
            fold.save()

    hooks = EpochHooks(on_batch=fold.observer.batch_done, on_update=between_updates)
    return train_one_epoch(fold.state, fold.training, fold.settings, epoch=epoch, start=fold.position, hooks=hooks)


def _evaluate(fold: _Fold, epoch: int, started: float) -> EpochRow:
    held_out = fold.data.predict["oof"]
    fold.held_out_logits = logits = fold.predict(held_out, _stoppable(fold, epoch), epoch)
    labels = held_out.labels.astype(np.float64)
    probabilities = expit(logits.astype(np.float64))
    row = EpochRow(
        epoch=epoch + 1,
        train_loss=fold.position.loss,
        train_images_per_second=fold.position.images_per_second,
        fold_loss=_loss_of(fold, held_out, logits),
        fold_macro_f1=metrics.macro_f1(labels, probabilities >= 0.5),
        fold_macro_average_precision=metrics.macro_average_precision(labels, probabilities),
        inner_loss=float("nan") if fold.data.inner is None else _watch(fold, fold.data.inner, epoch),
        learning_rate=fold.state.schedule.learning_rate(),
        seconds=time.perf_counter() - started,
    )
    if fold.recipe.training.select == "best_on_fold" and fold.settings.is_full_size(epoch):
        fold.history.chosen.offer(epoch + 1, row.fold_macro_average_precision, fold.state.final_model())
    return row


def _stoppable(fold: _Fold, epoch: int) -> Callable[[int], None]:
    """Scoring an epoch changes nothing that a checkpoint holds, so it can be stopped at any batch."""

    def between_batches(_images: int) -> None:
        if fold.job.pacing.stop.reason:
            fold.stop(f"after the updates of epoch {epoch + 1} of {fold.recipe.training.epochs}")

    return between_batches


def _watch(fold: _Fold, inner: ImageRows, epoch: int) -> float:
    loss = _loss_of(fold, inner, fold.predict(inner, _stoppable(fold, epoch), epoch))
    keep = fold.recipe.training.select == "last"
    if fold.settings.is_full_size(epoch):  # losses on smaller images compare with nothing
        fold.history.watched.offer(epoch + 1, -loss, fold.state.final_model(), keep_weights=keep)
    return loss


def _loss_of(fold: _Fold, rows: ImageRows, logits: NDArray[np.float32]) -> float:
    device = fold.device
    with torch.inference_mode():
        return float(fold.settings.loss(torch.from_numpy(logits).to(device), torch.from_numpy(rows.labels).to(device)))


def _inner_notice(fold: _Fold) -> list[str]:
    """How large the slice that early stopping watches has become: whole groups seldom make the asked share."""
    stopping, inner = fold.recipe.training.early_stopping, fold.data.inner
    if stopping is None or inner is None:
        return []
    outside = len(inner) + len(fold.data.training)
    said = (
        f"early stopping watches {many(len(inner), 'image')} and does not train on them: {len(inner) / outside:.1%} "
        f"of the {outside:,} outside the fold (inner_fraction: {stopping.inner_fraction:g})"
    )
    return [said]


def _predict_split(fold: _Fold, split: str, rows: ImageRows) -> NDArray[np.float32]:
    if split == "oof" and fold.held_out_logits is not None:
        return fold.held_out_logits
    fold.observer.predicting(split, len(rows))

    def between_batches(images: int) -> None:
        fold.observer.predicted(images)
        if fold.job.pacing.stop.reason:
            # What the last epoch left was saved where it was worth it, and the weights here may be another one's.
            fold.stop(f"while {split} rows were predicted", save=False)

    return fold.predict(rows, between_batches)
