"""After an epoch: the held-out fold and the inner slice are predicted and scored, and the best weights remembered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ensemble import metrics
from ensemble.data.loaders import ImageRows
from ensemble.training.fold import Fold
from ensemble.training.history import EpochRow


def score_epoch(fold: Fold, epoch: int, started: float) -> EpochRow:
    """Predict, score, and offer the weights to whoever selects some.

    Args:
        fold: Its updates of this epoch are done.
        epoch: From 0.
        started: ``time.perf_counter()`` at the epoch's start.

    Raises:
        TrainingDiverged: A logit is not finite.
        Unfinished: Somebody asked to stop.
    """
    if fold.recipe.training.score_epochs == "last" and epoch + 1 < fold.recipe.training.epochs:
        fold.held_out_logits = None
        return fold.team.from_leader(lambda: _row(fold, epoch, started, _Scores()))
    held_out, inner = fold.data.predict["oof"], fold.data.inner
    between_batches = _stoppable(fold, epoch)
    fold.held_out_logits = logits = fold.predict(held_out, between_batches, epoch)
    watched = None if inner is None else (inner, fold.predict(inner, between_batches, epoch))
    row = fold.team.from_leader(lambda: _row(fold, epoch, started, _scores(fold, logits, watched)))
    _offer(fold, epoch, row)
    return row


class _Scores(NamedTuple):
    """As ``EpochRow`` has them; NaN: not looked at."""

    fold_loss: float = math.nan
    fold_macro_f1: float = math.nan
    fold_macro_average_precision: float = math.nan
    inner_loss: float = math.nan


def _scores(fold: Fold, logits: NDArray[np.float32], watched: tuple[ImageRows, NDArray[np.float32]] | None) -> _Scores:
    held_out = fold.data.predict["oof"]
    labels = held_out.labels.astype(np.float64)
    probabilities = expit(logits.astype(np.float64))
    return _Scores(
        fold_loss=_loss_of(fold, held_out, logits),
        fold_macro_f1=metrics.macro_f1(labels, probabilities >= 0.5),
        fold_macro_average_precision=metrics.macro_average_precision(labels, probabilities),
        inner_loss=math.nan if watched is None else _loss_of(fold, *watched),
    )


def _row(fold: Fold, epoch: int, started: float, scores: _Scores) -> EpochRow:
    return EpochRow(
        epoch=epoch + 1,
        train_loss=fold.position.loss,
        train_images_per_second=fold.position.images_per_second,
        learning_rate=fold.state.schedule.learning_rate(),
        seconds=time.perf_counter() - started,
        **scores._asdict(),
    )


def _offer(fold: Fold, epoch: int, row: EpochRow) -> None:
    if not fold.settings.is_full_size(epoch):  # losses and scores on smaller images compare with nothing
        return
    select, model = fold.recipe.training.select, fold.state.final_model()
    if fold.data.inner is not None:
        fold.history.watched.offer(epoch + 1, -row.inner_loss, model, keep_weights=select == "last")
    if select == "best_on_fold":
        fold.history.chosen.offer(epoch + 1, row.fold_macro_average_precision, model)


def _stoppable(fold: Fold, epoch: int) -> Callable[[int], None]:
    """Scoring an epoch changes nothing that a checkpoint holds, so it can be stopped at any batch."""

    def between_batches(_images: int) -> None:
        if why := fold.wish_to_stop():
            fold.stop(why, f"after the updates of epoch {epoch + 1} of {fold.recipe.training.epochs}")

    return between_batches


def _loss_of(fold: Fold, rows: ImageRows, logits: NDArray[np.float32]) -> float:
    device = fold.device
    if np.isnan(rows.labels).all():
        return math.nan  # losses of such rows are 0
    with torch.inference_mode():
        return float(fold.settings.loss(torch.from_numpy(logits).to(device), torch.from_numpy(rows.labels).to(device)))
