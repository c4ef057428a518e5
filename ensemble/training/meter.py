"""How far an epoch has come, its loss so far, and who is told of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class EpochPosition:
    """Where in an epoch training stands, at an optimizer update's end.

    Attributes:
        batches: Done so far.
        images: In them.
        loss_sum: Of the batches' mean losses times their images.
        seconds: Of training steps, over all processes that worked on this epoch.
    """

    batches: int = 0
    images: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0

    @property
    def loss(self) -> float:
        """Mean over the images."""
        return self.loss_sum / max(1, self.images)

    @property
    def images_per_second(self) -> float:
        """Training throughput."""
        return self.images / self.seconds if self.seconds > 0 else math.nan


@dataclass(frozen=True)
class EpochHooks:
    """Who is told of an epoch's progress.

    Attributes:
        before_batch: Called before each batch, when this process has got it, with its number from 0.
        on_batch: Called after each batch with its number of images, and a function that returns the mean loss so
            far. Asking makes the host wait for the device, so ask a few times a second at most.
        on_update: Called after each optimizer update, when nothing is half done, with a function that returns the
            position. It may raise to stop. Asking makes the host wait, and refuses a loss that is not finite.
    """

    before_batch: Callable[[int], None] = lambda _number: None
    on_batch: Callable[[int, Callable[[], float]], None] = lambda _images, _mean_loss: None
    on_update: Callable[[Callable[[], EpochPosition]], None] = lambda _position: None


class LossMeter:
    """Sums losses on the device; the host only waits when it asks."""

    def __init__(self, device: torch.device, start: EpochPosition) -> None:
        """Go on from ``start``. The sum is float32 as before the stop, so that it goes on to the same bits."""
        self.images = start.images
        self._total = torch.tensor(start.loss_sum, dtype=torch.float32, device=device)
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)

    def add(self, loss: torch.Tensor, batch: int, images: int) -> None:
        """Add the mean loss of the batch with this number, from 0."""
        self.images += images
        self._total += loss * images
        is_first = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad = torch.where(is_first, batch, self._first_bad)

    def total(self) -> float:
        """The sum so far; the host waits for the device."""
        return float(self._total)

    def mean(self) -> float:
        """Over the images so far; the host waits for the device."""
        return self.total() / max(1, self.images)

    def first_bad(self) -> int:
        """The number of the first batch whose loss was not finite, or -1; the host waits for the device."""
        return int(self._first_bad)
