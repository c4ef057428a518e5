"""Test-time augmentation: what a network says of an image and of its mirror image, together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional


def mirrored_logits(network: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The logit of the mean probability of each image and its mirror image.

    Args:
        network: From images to logits of shape (B, C), float32.
        images: Shape (B, 1, H, W).

    Returns:
        Shape (B, C), float32; large logits lose nothing, as their probabilities would.
    """
    one, other = network(images), network(images.flip(-1))
    present = torch.logaddexp(functional.logsigmoid(one), functional.logsigmoid(other))
    absent = torch.logaddexp(functional.logsigmoid(-one), functional.logsigmoid(-other))
    return present - absent
