"""Multi-label losses by name. All take float32 logits and labels with NaN for "not labelled"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ensemble.errors import RecipeError

PositiveWeight = Literal["none", "balanced"] | Sequence[float]


class BinaryCrossEntropy(nn.Module):
    """Mean over the labelled entries of the binary cross-entropy."""

    positive_weight: torch.Tensor | None

    def __init__(self, positive_weight: torch.Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("positive_weight", positive_weight)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Args: ``logits`` and ``labels`` of shape (B, C). Returns: a scalar; 0 where nothing is labelled."""
        labelled = ~labels.isnan()
        losses = functional.binary_cross_entropy_with_logits(
            logits.float(), labels.nan_to_num(0.0), pos_weight=self.positive_weight, reduction="none"
        )
        return (losses * labelled).sum() / labelled.sum().clamp(min=1)


def build_loss(name: str, *, pos_weight: PositiveWeight, labels: NDArray[np.float32]) -> nn.Module:
    """The loss called ``name``.

    Args:
        name: ``bce``.
        pos_weight: ``none``; ``balanced``: negatives / positives of each class among the training rows; or C numbers.
        labels: Shape (N, C), the training rows' labels (NaN = not labelled), for ``balanced``.

    Raises:
        RecipeError: No such loss, or not one weight for each class.
    """
    if name != "bce":
        raise RecipeError(f"loss.name: expected bce, got {name!r}")
    return BinaryCrossEntropy(_positive_weight(pos_weight, labels))


def _positive_weight(wanted: PositiveWeight, labels: NDArray[np.float32]) -> torch.Tensor | None:
    if isinstance(wanted, str):
        return None if wanted == "none" else torch.from_numpy(balanced_weights(labels))
    if len(wanted) != labels.shape[1]:
        raise RecipeError(
            f"loss.pos_weight: expected one number for each of the {labels.shape[1]} classes, got {len(wanted)}"
        )
    return torch.tensor(list(wanted), dtype=torch.float32)


def balanced_weights(labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Negatives / positives of each class, shape (C,); 1 where a class has no positive or no negative."""
    positives = np.nansum(labels, axis=0)
    negatives = (~np.isnan(labels)).sum(axis=0) - positives
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((positives > 0) & (negatives > 0), negatives / positives, 1.0)
    return ratio.astype(np.float32)
