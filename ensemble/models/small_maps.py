"""Convolutions of small maps as matrix products, on processors.

The last stages of a ResNet see maps of few positions where images are small, but multiply them by most of
the network's weights. oneDNN's gradients of such convolutions take several times as long as their arithmetic: with 512
channels and one position thirty times, with four positions three times (``docs/performance.md``). And most taps of a
small map see nothing but padding at most positions: of a 3 x 3 kernel on 2 x 2 positions 20 products of 36.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels on both sides, and the positions of the largest map that products are faster for.
_LIMITS = ((512, 49), (256, 9))


class SmallMapConv2d(nn.Conv2d):
    """``nn.Conv2d`` with zero padding, whose small maps are multiplied tap by tap: the same but for rounding.

    On a processor, in float32 and for ``_LIMITS`` only; elsewhere it is ``nn.Conv2d`` itself.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, h, w)."""
        if images.dim() != 4 or not self._is_product(images):
            return super().forward(images)
        rows, columns = (self._axis(images, axis) for axis in (0, 1))
        maps: Tensor = _TapByTap.apply(images, self.weight, rows, columns)
        return maps if self.bias is None else maps + self.bias[:, None, None]

    def _is_product(self, images: Tensor) -> bool:
        if images.device.type != "cpu" or images.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return False
        positions = self._axis(images, 0).length * self._axis(images, 1).length
        channels = min(self.in_channels, self.out_channels)
        return any(channels >= least and 1 <= positions <= most for least, most in _LIMITS)

    def _axis(self, images: Tensor, axis: int) -> _Axis:
        return _axis(images.shape[2 + axis], self.kernel_size[axis], self.stride[axis], int(self.padding[axis]))


class _Tap(NamedTuple):
    """One place of the kernel along one axis: at which positions it sees pixels, and which."""

    number: int
    positions: slice
    pixels: slice


class _Axis(NamedTuple):
    """One axis of a convolution.

    Attributes:
        length: Of the result.
        taps: Those of the kernel that see a pixel anywhere.
    """

    length: int
    taps: list[_Tap]


def _axis(size: int, kernel: int, stride: int, padding: int) -> _Axis:
    length = max(0, (size + 2 * padding - kernel) // stride + 1)
    taps = []
    for tap in range(kernel):
        seeing = [place for place in range(length) if 0 <= place * stride - padding + tap < size]
        if seeing:
            first = seeing[0] * stride - padding + tap
            last = seeing[-1] * stride - padding + tap
            taps.append(_Tap(tap, slice(seeing[0], seeing[-1] + 1), slice(first, last + 1, stride)))
    return _Axis(length, taps)


class _TapByTap(torch.autograd.Function):
    """What each tap sees, times its weights, added up where it sees it; the gradients likewise.

    Channels come last within, as they lie in memory.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.taps = list(product(rows.taps, columns.taps))
        pixels = images.permute(0, 2, 3, 1)
        maps = pixels.new_zeros((len(images), rows.length, columns.length, weight.shape[0]))
        for row, column in ctx.taps:
            seen = pixels[:, row.pixels, column.pixels]
            maps[:, row.positions, column.positions] += functional.linear(seen, weight[:, :, row.number, column.number])
        return maps.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        pixels, of_maps = images.permute(0, 2, 3, 1), gradients[0].permute(0, 2, 3, 1)
        of_pixels = torch.zeros_like(pixels) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        for row, column in ctx.taps:
            there = of_maps[:, row.positions, column.positions]
            if of_pixels is not None:
                of_pixels[:, row.pixels, column.pixels] += there @ weight[:, :, row.number, column.number]
            if of_weight is not None:
                seen = pixels[:, row.pixels, column.pixels].reshape(-1, pixels.shape[-1])
                of_weight[:, :, row.number, column.number] = there.reshape(-1, there.shape[-1]).t() @ seen
        return None if of_pixels is None else of_pixels.permute(0, 3, 1, 2), of_weight, None, None


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
