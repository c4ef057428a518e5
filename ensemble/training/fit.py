"""One fold's story: build, go on from a checkpoint, train, watch, choose the weights, predict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from ensemble import metrics
from ensemble.data.augment import build_augmentation
from ensemble.data.loaders import BatchLoader, ImageRows, evaluation_loader, training_loader
from ensemble.errors import many
from ensemble.models.description import describe_model
from ensemble.recipe import Recipe
from ensemble.runs import FoldPaths
from ensemble.seeds import derive_seed
from ensemble.training.build import build_settings, build_state
from ensemble.training.checkpoint import CheckpointWriter, resume, write_weights
from ensemble.training.checks import check_lone_image
from ensemble.training.engine import (
    EpochStats,
    StepSettings,
    TrainingState,
    predict_logits,
    train_one_epoch,
)
from ensemble.training.history import BestEpoch, EpochRow, selection, write_metrics
from ensemble.training.job import FoldData, FoldOutcome, Hardware, Observer

# Evaluation keeps no activations for a backward pass, so larger batches fit.
_EVALUATION_BATCHES = 2


@dataclass(eq=False)
class _Fold:
    """What the steps of the story share."""

    recipe: Recipe
    data: FoldData
    paths: FoldPaths
    hardware: Hardware
    observer: Observer
    state: TrainingState
    settings: StepSettings
    training: BatchLoader
    rows: list[EpochRow] = field(default_factory=list)
    chosen: BestEpoch = field(default_factory=BestEpoch)
    watched: BestEpoch = field(default_factory=BestEpoch)

    def predict(self, rows: ImageRows, on_batch: Callable[[int], None] = lambda _images: None) -> NDArray[np.float32]:
        batch_size = self.recipe.training.batch_size * _EVALUATION_BATCHES
        loader = evaluation_loader(rows, batch_size=batch_size, workers=0, pin=self.hardware.device.type == "cuda")
        return predict_logits(
            self.state.final_model(),
            loader,
            pixels=self.settings.pixels,
            precision=self.settings.precision,
            on_batch=on_batch,
        )


def fit_fold(
    recipe: Recipe,
    data: FoldData,
    *,
    paths: FoldPaths,
    hardware: Hardware,
    facts: Mapping[str, str | int],
    observer: Observer,
) -> FoldOutcome:
    """Train one fold's model and predict its rows.

    Args:
        recipe: What to train.
        data: On what.
        paths: Checkpoint, metrics and weights go there; a checkpoint that is there is gone on from.
        hardware: Device, precision, worker processes.
        facts: What a checkpoint must agree with; ``facts["fold"]`` also seeds the weights.
        observer: Is told of the progress.

    Raises:
        TrainingDiverged: The loss or a logit stopped being finite; the last checkpoint is kept.
        RecipeError: A batch would hold a single image, and the network cannot train on one.
        ArtefactError: The checkpoint that is there belongs to something else, or is damaged.
    """
    fold, notices = _set_up(recipe, data, paths, hardware, facts=facts, observer=observer)
    first_epoch = _resume(fold, facts)
    observer.fold_started(n_images=len(data.training), first_epoch=first_epoch, notices=notices)
    checkpoint = CheckpointWriter(paths.checkpoint, facts)
    for epoch in range(first_epoch, recipe.training.epochs):
        if _should_stop(fold):
            break
        _run_epoch(fold, epoch)
        checkpoint.maybe_write(fold.state, _progress(fold))
    chosen_epoch = _choose_weights(fold)
    if why := _why_chosen(fold, chosen_epoch):
        observer.weights_kept(chosen_epoch, why)
    write_weights(paths.weights, fold.state.final_model())
    logits = {split: _predict_split(fold, split, rows) for split, rows in data.predict.items()}
    return FoldOutcome(logits, chosen_epoch, fold.rows, first_epoch, describe_model(fold.state.model))


def _set_up(
    recipe: Recipe,
    data: FoldData,
    paths: FoldPaths,
    hardware: Hardware,
    *,
    facts: Mapping[str, str | int],
    observer: Observer,
) -> tuple[_Fold, list[str]]:
    seed = derive_seed(recipe.seed, "fold", facts["fold"])
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
    settings = build_settings(recipe, data.training, hardware)
    fold = _Fold(recipe, data, paths, hardware, observer, state, settings, loader)
    return fold, [*notices, *_inner_notice(fold)]


def _resume(fold: _Fold, facts: Mapping[str, str | int]) -> int:
    progress = resume(fold.paths.checkpoint, fold.state, facts)
    if progress is None:
        return 0
    fold.rows = [EpochRow.from_mapping(row) for row in progress["rows"]]
    fold.chosen = BestEpoch.from_state(progress["chosen"])
    fold.watched = BestEpoch.from_state(progress["watched"])
    return len(fold.rows)


def _progress(fold: _Fold) -> dict[str, object]:
    return {
        "rows": [dataclasses.asdict(row) for row in fold.rows],
        "chosen": fold.chosen.to_state(),
        "watched": fold.watched.to_state(),
    }


def _run_epoch(fold: _Fold, epoch: int) -> None:
    started = time.perf_counter()
    # Dropout and its like draw from this: a restart at any epoch draws the same numbers.
    torch.manual_seed(derive_seed(fold.recipe.seed, "epoch", epoch))
    stats = train_one_epoch(fold.state, fold.training, fold.settings, epoch=epoch, on_batch=fold.observer.batch_done)
    row = _evaluate(fold, epoch, stats, started)
    fold.rows.append(row)
    write_metrics(fold.paths.metrics, fold.rows)
    fold.observer.epoch_done(row)


def _evaluate(fold: _Fold, epoch: int, stats: EpochStats, started: float) -> EpochRow:
    held_out = fold.data.predict["oof"]
    logits = fold.predict(held_out)
    labels = held_out.labels.astype(np.float64)
    probabilities = expit(logits.astype(np.float64))
    row = EpochRow(
        epoch=epoch + 1,
        train_loss=stats.loss,
        train_images_per_second=stats.images_per_second,
        fold_loss=_loss_of(fold, held_out, logits),
        fold_macro_f1=metrics.macro_f1(labels, probabilities >= 0.5),
        fold_macro_average_precision=metrics.macro_average_precision(labels, probabilities),
        inner_loss=float("nan") if fold.data.inner is None else _watch(fold, fold.data.inner, epoch),
        learning_rate=fold.state.schedule.learning_rate(),
        seconds=time.perf_counter() - started,
    )
    if fold.recipe.training.select == "best_on_fold":
        fold.chosen.offer(epoch + 1, row.fold_macro_average_precision, fold.state.final_model())
    return row


def _watch(fold: _Fold, inner: ImageRows, epoch: int) -> float:
    loss = _loss_of(fold, inner, fold.predict(inner))
    keep = fold.recipe.training.select == "last"
    fold.watched.offer(epoch + 1, -loss, fold.state.final_model(), keep_weights=keep)
    return loss


def _loss_of(fold: _Fold, rows: ImageRows, logits: NDArray[np.float32]) -> float:
    device = fold.hardware.device
    with torch.inference_mode():
        return float(fold.settings.loss(torch.from_numpy(logits).to(device), torch.from_numpy(rows.labels).to(device)))


def _should_stop(fold: _Fold) -> bool:
    stopping = fold.recipe.training.early_stopping
    return stopping is not None and fold.watched.waited >= stopping.patience_epochs


def _choose_weights(fold: _Fold) -> int:
    """The last epoch's weights, or those of the epoch that selection or early stopping kept."""
    kept = fold.chosen if fold.chosen.weights is not None else fold.watched
    model: nn.Module = fold.state.final_model()
    if kept.weights is None:
        return len(fold.rows)
    model.load_state_dict(kept.weights)
    return kept.epoch


def _why_chosen(fold: _Fold, epoch: int) -> str:
    """In words; empty where the last epoch's weights are kept whatever they are."""
    by = selection(fold.recipe.training)
    if by == "last":
        return ""
    if by == "best_on_fold":
        what = "the highest average precision on the held-out fold, whose scores are marked for that"
        known = fold.chosen.weights is not None
    else:
        what = f"the lowest loss on the inner slice, {fold.rows[epoch - 1].inner_loss:.4f}"
        known = fold.watched.weights is not None
    why = what if known else "the last, as no epoch's is a number that could be compared"
    stopped = f"; stopped after {fold.watched.waited} without a lower inner loss" if _should_stop(fold) else ""
    return why + stopped


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
    fold.observer.predicting(split, len(rows))
    return fold.predict(rows, fold.observer.predicted)
