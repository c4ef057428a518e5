"""How far an epoch has come, and its loss so far."""

from __future__ import annotations

import math
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
