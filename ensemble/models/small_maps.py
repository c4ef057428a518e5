"""Convolutions of small maps as matrix products, on processors.

The last stages of a ResNet see maps of one to sixteen positions where images are small, but multiply them by most of
the network's weights. oneDNN's gradients of such convolutions take several times as long as their arithmetic: with 512
channels and one position forty times, with four positions three times (``docs/performance.md``).
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels on both sides, and the positions of the largest map that a product is faster for.
_LIMITS = ((512, 16), (256, 4))


class SmallMapConv2d(nn.Conv2d):
    """``nn.Conv2d`` with zero padding, whose small maps are unfolded and multiplied: the same but for rounding.

    On a processor, in float32 and for ``_LIMITS`` only; elsewhere it is ``nn.Conv2d`` itself.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, h, w)."""
        if images.dim() != 4 or not self._is_product(images):
            return super().forward(images)
        rows, columns = (_window(images.shape[2 + axis], *self._geometry(axis)) for axis in (0, 1))
        weight = self.weight[:, :, rows.taps, columns.taps].permute(0, 2, 3, 1)
        padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, *columns.padding, *rows.padding))
        places = product(rows.slices(self.stride[0]), columns.slices(self.stride[1]))
        seen = torch.cat([padded[:, row, column] for row, column in places], dim=-1)
        return functional.linear(seen, weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    def _is_product(self, images: Tensor) -> bool:
        if images.device.type != "cpu" or images.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return False
        positions = 1
        for axis in (0, 1):
            positions *= _window(images.shape[2 + axis], *self._geometry(axis)).length
        channels = min(self.in_channels, self.out_channels)
        return any(channels >= least and 1 <= positions <= most for least, most in _LIMITS)

    def _geometry(self, axis: int) -> tuple[int, int, int]:
        return self.kernel_size[axis], self.stride[axis], int(self.padding[axis])


class _Window(NamedTuple):
    """One axis of a convolution, without the taps that see nothing but padding.

    Attributes:
        length: Of the result.
        taps: Of the kernel, those that see a pixel.
        padding: Before and after the image for them; negative: cut off.
    """

    length: int
    taps: slice
    padding: tuple[int, int]

    def slices(self, stride: int) -> list[slice]:
        """What each tap sees of the padded image."""
        reach = (self.length - 1) * stride + 1
        return [slice(tap, tap + reach, stride) for tap in range(self.taps.stop - self.taps.start)]


def _window(size: int, kernel: int, stride: int, padding: int) -> _Window:
    length = max(0, (size + 2 * padding - kernel) // stride + 1)
    seen = [tap for tap in range(kernel) if any(0 <= place * stride - padding + tap < size for place in range(length))]
    if not seen:
        return _Window(0, slice(0, 0), (0, 0))
    first, last = seen[0], seen[-1]
    before = padding - first
    after = (length - 1) * stride + (last - first + 1) - size - before
    return _Window(length, slice(first, last + 1), (before, after))


def multiply_small_maps(model: nn.Module) -> nn.Module:
    """Let the convolutions of ``model`` that may meet small maps be ``SmallMapConv2d``; changes ``model``.

    Names, weights and their order stay. Only plain ``nn.Conv2d`` of one group, without dilation, with zero padding and
    a kernel of more than one tap are changed.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and _may_be_product(module):
            module.__class__ = SmallMapConv2d
    return model


def _may_be_product(module: nn.Conv2d) -> bool:
    least = min(channels for channels, _ in _LIMITS)
    return (
        module.groups == 1
        and set(module.dilation) == {1}
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and module.kernel_size != (1, 1)
        and min(module.in_channels, module.out_channels) >= least
    )
