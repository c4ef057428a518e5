"""One fold's story: build, go on from a checkpoint, train, watch, choose the weights, predict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.data.augment import build_augmentation
from ensemble.data.loaders import ImageRows, training_loader
from ensemble.errors import many
from ensemble.memory import memory_errors
from ensemble.models.description import describe_model
from ensemble.recipe import Recipe
from ensemble.seeds import derive_seed
from ensemble.training.build import build_settings, build_state
from ensemble.training.checkpoint import CheckpointWriter, write_weights
from ensemble.training.checks import check_lone_image
from ensemble.training.engine import train_one_epoch
from ensemble.training.fold import Fold
from ensemble.training.history import History
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, FoldStart, Observer
from ensemble.training.meter import EpochHooks, EpochPosition
from ensemble.training.scoring import score_epoch
from ensemble.training.sharing import rows_at_least


def fit_fold(recipe: Recipe, data: FoldData, job: FoldJob, observer: Observer) -> FoldOutcome:
    """Train one fold's model and predict its rows.

    Args:
        recipe: What to train.
        data: On what.
        job: Where and how; a checkpoint in it is gone on from.
        observer: Is told of the progress.

    Raises:
        TrainingDiverged: The loss, a weight or a logit stopped being finite; the last checkpoint is kept.
        OutOfMemory: The machine or the device has too little; the last checkpoint is kept.
        RecipeError: A batch would hold a single image, and the network cannot train on one.
        ArtefactError: The checkpoint is damaged.
        StorageError: The disk is full, read-only or gone; the last checkpoint is kept.
        Unfinished: Somebody asked to stop; a checkpoint of that moment is written.
    """
    takes = _what_takes_memory(recipe, job)
    with memory_errors(lambda: "while the network was made", takes):
        fold, notices = _set_up(recipe, data, job, observer=observer)
    with memory_errors(lambda: fold.doing, takes):
        return _fit(fold, notices)


def _what_takes_memory(recipe: Recipe, job: FoldJob) -> str:
    training, (height, width) = recipe.training, recipe.data.image_size
    half, steps = training.batch_size // 2, training.accumulation_steps
    each = "" if job.team.processes == 1 else f", divided among {job.team.processes} processes"
    fewer = f"training.batch_size={half} with training.accumulation_steps={2 * steps} (as many images an update), "
    on_gpu = job.hardware.device.type == "cuda"
    recorded = ", training.cuda_graphs=false" if on_gpu and training.cuda_graphs else ""
    others = f"{recorded}, and see what else runs on that GPU" if on_gpu else ""
    return (
        f"Training takes memory for training.batch_size ({training.batch_size}{each}), data.image_size ({height} × "
        f"{width}) and the network ({recipe.model.name}): try {fewer if half else ''}smaller images or a smaller "
        f"network{others}"
    )


def _fit(fold: Fold, notices: list[str]) -> FoldOutcome:
    recipe, job, observer = fold.recipe, fold.job, fold.observer
    start = _resume(fold)
    observer.fold_started(n_images=len(fold.data.training), start=start, notices=notices)
    for epoch in range(start.epoch, recipe.training.epochs):
        if fold.history.should_stop(recipe.training):
            break
        _run_epoch(fold, epoch)
    chosen_epoch = fold.history.choose_weights(fold.state.final_model())
    fold.held_out_logits = fold.held_out_logits if chosen_epoch == len(fold.history.rows) else None
    if why := fold.history.why_chosen(recipe.training, chosen_epoch):
        observer.weights_kept(chosen_epoch, why)
    logits = {split: _predict_split(fold, split, rows) for split, rows in fold.data.predict.items()}
    job.lock.check()
    if job.team.leads:
        write_weights(job.paths.weights, fold.state.final_model())
    fold.state.backbone.prepare(fold.state.model, recipe.training.epochs)  # what stood still to the end counts, too
    cost = {"checkpoints_written": fold.checkpoint.written, "checkpoint_seconds": round(fold.checkpoint.seconds, 3)}
    return FoldOutcome(logits, chosen_epoch, fold.history.rows, start, cost, describe_model(fold.state.model))


def _set_up(recipe: Recipe, data: FoldData, job: FoldJob, *, observer: Observer) -> tuple[Fold, list[str]]:
    hardware, team = job.hardware, job.team
    seed = derive_seed(recipe.seed, "fold", job.facts["fold"])
    torch.manual_seed(seed)
    loader = training_loader(
        data.training,
        batch_size=recipe.training.batch_size,
        seed=seed,
        augmentation=build_augmentation(recipe.augment, recipe.data.image_size) if recipe.augment else None,
        workers=hardware.workers,
        gpu=hardware.device if hardware.device.type == "cuda" else None,
    )
    loader.order.share = replace(team.share, least=rows_at_least(recipe.training.batch_size, team.processes))
    n_classes = data.training.labels.shape[1]
    state, notices = build_state(recipe, hardware, n_classes=n_classes, n_batches=len(loader), team=team)
    if min(len(data.training), recipe.training.batch_size) == 1:
        check_lone_image(state.model, recipe, hardware.device)
    settings = build_settings(recipe, data.training, hardware, state.model, team)
    writer = CheckpointWriter(job.paths.checkpoint, job.facts, hardware.facts(), job.pacing.checkpoint_seconds)
    fold = Fold(recipe, data, job, observer, state, settings, loader, writer)
    return fold, [*filter(None, [hardware.notice]), *notices, *_inner_notice(fold)]


def _resume(fold: Fold) -> FoldStart:
    checkpoint = fold.job.checkpoint
    if checkpoint is not None:
        checkpoint.restore(fold.state, fold.device)
        # Version 1 kept the history beside other things, and no position: it was written at epochs' ends.
        fold.history = History.from_state(checkpoint.progress.get("history", checkpoint.progress))
        fold.position = EpochPosition(**checkpoint.progress.get("position", {}))
    # An epoch that was trained after the checkpoint has left a row that will come again.
    _write_history(fold)
    return FoldStart(len(fold.history.rows), fold.position.images)


def _run_epoch(fold: Fold, epoch: int) -> None:
    started = time.perf_counter() - fold.position.seconds
    if fold.position.batches == 0:
        # Dropout and its like draw from this, and a checkpoint within the epoch holds how far they have come.
        torch.manual_seed(derive_seed(fold.recipe.seed, "epoch", epoch))
    fold.position = _train(fold, epoch)
    row = score_epoch(fold, epoch, started)
    fold.history.rows.append(row)
    fold.position = EpochPosition()
    fold.job.lock.check()
    _write_history(fold)
    fold.observer.epoch_done(row)
    last = epoch + 1 == fold.recipe.training.epochs or fold.history.should_stop(fold.recipe.training)
    if fold.checkpoint.is_due(epoch_end=True, last=last):
        fold.save()


def _write_history(fold: Fold) -> None:
    if fold.team.leads:
        fold.history.write(fold.job.paths.metrics)


def _train(fold: Fold, epoch: int) -> EpochPosition:
    """The epoch's updates, from where they are; stopped or saved between two of them."""
    seed, n_batches = derive_seed(fold.recipe.seed, "epoch", epoch), len(fold.training)
    fold.doing = where = f"in epoch {epoch + 1} of {fold.recipe.training.epochs}"

    def before_batch(number: int) -> None:
        fold.doing = f"{where}, batch {number + 1} of {n_batches}"
        fold.team.before_batch(seed, number)

    def between_updates(position: Callable[[], EpochPosition]) -> None:
        if why := fold.wish_to_stop():
            fold.position = position()
            fold.stop(why, where)
        if fold.team.leads and fold.checkpoint.is_due(epoch_end=False):
            fold.position = position()
            fold.save()

    hooks = EpochHooks(before_batch=before_batch, on_batch=fold.observer.batch_done, on_update=between_updates)
    return train_one_epoch(fold.state, fold.training, fold.settings, epoch=epoch, start=fold.position, hooks=hooks)


def _inner_notice(fold: Fold) -> list[str]:
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


def _predict_split(fold: Fold, split: str, rows: ImageRows) -> NDArray[np.float32]:
    mirrored = fold.recipe.training.tta is not None
    if split == "oof" and fold.held_out_logits is not None and not mirrored:
        return fold.held_out_logits
    fold.observer.predicting(split, len(fold.team.own_rows(rows)))

    def between_batches(images: int) -> None:
        fold.observer.predicted(images)
        if why := fold.wish_to_stop():
            # What the last epoch left was saved where it was worth it, and the weights here may be another one's.
            fold.stop(why, f"while {split} rows were predicted", save=False)

    return fold.predict(rows, between_batches, mirrored=mirrored)
