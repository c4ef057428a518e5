"""What one fold's training takes, tells and leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.data.loaders import ImageRows
from ensemble.models.description import Description
from ensemble.training.history import EpochRow
from ensemble.training.precision import Precision


class Observer(Protocol):
    """Whoever shows the progress. All calls come from the training process."""

    def fold_started(self, *, n_images: int, first_epoch: int, notices: list[str]) -> None:
        """Before the first epoch that is still to do (from 0)."""

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
    """Where and how arithmetic is done."""

    device: torch.device
    precision: Precision
    workers: int
    threads: int


@dataclass(frozen=True, eq=False)
class FoldOutcome:
    """What a fold leaves.

    Attributes:
        logits: By split, shape (N, C), float32.
        chosen_epoch: Whose weights were used, from 1.
        rows: An epoch each.
        resumed_from_epoch: How many epochs an earlier process had done.
        network: What was trained, in numbers.
    """

    logits: Mapping[str, NDArray[np.float32]]
    chosen_epoch: int
    rows: list[EpochRow]
    resumed_from_epoch: int
    network: Description
