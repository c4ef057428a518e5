"""Progressive resizing: at which size of image each epoch is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import nn

from ensemble.errors import EnsembleError
from ensemble.memory import lack_of_memory
from ensemble.recipe import SmallImages, TrainingSettings

ImageSize = tuple[int, int]

# Sizes of maps that stay even through three halvings; smaller steps would say more than the share means.
_MULTIPLE = 8
# What forward passes raise on images of a size that they cannot use.
_REFUSALS = (EnsembleError, TypeError, ValueError, IndexError, AssertionError, RuntimeError, ArithmeticError)


def sizes_of_epochs(
    progressive: Sequence[SmallImages], image_size: ImageSize, *, epochs: int, multiple: int
) -> tuple[ImageSize, ...]:
    """The height and width of every epoch's images; the last epoch is at ``image_size`` always.

    Args:
        progressive: The recipe's parts, in order; empty: every epoch is at ``image_size``.
        image_size: The full height and width.
        epochs: Of the whole run.
        multiple: Smaller sizes are rounded to whole multiples of it; see ``size_multiple``.
    """
    sizes = [image_size] * epochs
    begin = 0
    for part in progressive:
        end = min(round(part.until * epochs), epochs - 1)
        height, width = (_rounded(side, part.size, multiple) for side in image_size)
        sizes[begin:end] = [(height, width)] * max(0, end - begin)
        begin = max(begin, end)
    return tuple(sizes)


def planned_sizes(training: TrainingSettings, image_size: ImageSize, model: nn.Module) -> tuple[ImageSize, ...]:
    """``sizes_of_epochs`` of a network: never smaller than the one before, so the first is the smallest."""
    multiple = size_multiple(model)
    return sizes_of_epochs(training.progressive, image_size, epochs=training.epochs, multiple=multiple)


def size_begins(sizes: Sequence[ImageSize]) -> list[int]:
    """The first epoch, from 0, of each size."""
    return [epoch for epoch, size in enumerate(sizes) if epoch == 0 or size != sizes[epoch - 1]]


def _rounded(side: int, share: float, multiple: int) -> int:
    return min(side, max(multiple, math.floor(side * share / multiple + 0.5) * multiple))


def size_multiple(model: nn.Module) -> int:
    """What the sides of smaller images are multiples of: 8, or the patches' size of a network that cuts them."""
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", 1)
    return math.lcm(_MULTIPLE, *(patch if isinstance(patch, tuple | list) else (patch,)))


def size_problems(model: nn.Module, name: str, sizes: Collection[ImageSize]) -> list[str]:
    """What the network says to images of ``sizes``, a sentence each; it is left in evaluation mode."""
    problems = []
    for height, width in sorted(sizes):
        try:
            with torch.no_grad():
                model.eval()(torch.zeros((2, 1, height, width)))
        except _REFUSALS as error:
            if lack_of_memory(error):
                raise
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            problems.append(
                f"training.progressive: {name} cannot read images of {height} × {width} ({said}). Choose larger "
                "shares, or leave it out: networks that are made for one size of image cannot use it"
            )
    return problems
