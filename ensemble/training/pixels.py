"""From stored pixels to what the network reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ensemble.training.sizes import ImageSize


@dataclass(frozen=True)
class Pixels:
    """From stored pixels to network input: ``(pixel / full scale - mean) / std`` in float32, on the device.

    Attributes:
        size: Height and width to average areas to; None: as stored.
    """

    mean: float
    std: float
    device: torch.device
    size: ImageSize | None = None

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Shape (B, 1, H, W) of uint8, or float32 in [0, 1], to float32 on the device, channels last."""
        moved = images.to(self.device, non_blocking=True)
        scale = 1.0 / 255.0 if moved.dtype == torch.uint8 else 1.0
        # A copy always: the batch itself may be float32, and must stay as it is.
        scaled = moved.to(torch.float32, copy=True).mul_(scale / self.std).sub_(self.mean / self.std)
        if self.size is not None and self.size != scaled.shape[-2:]:
            scaled = nn.functional.interpolate(scaled, self.size, mode="area")
        return scaled.contiguous(memory_format=torch.channels_last)
