"""The losses that timm does not have, and what makes timm's fit labels that are missing.

All take logits and labels of shape (B, C), compute in float32, and return a scalar.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# What divides two sums of probabilities that are both 0; far below any sum that is not.
_TINY = 1e-8


class MaskedMean(nn.Module):
    """The mean of an elementwise loss over the labelled entries: a missing label is as good as not there.

    Args:
        elementwise: Maps logits and labels (B, C) to losses (B, C), each of its own entry alone.
    """

    def __init__(self, elementwise: nn.Module) -> None:
        super().__init__()
        self.elementwise = elementwise

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Args: ``logits`` and ``labels`` (NaN = not labelled), (B, C). Returns: a scalar; 0 if nothing is labelled."""
        labelled = ~labels.isnan()
        losses: torch.Tensor = self.elementwise(logits.float(), labels.float().nan_to_num(0.0))
        return losses.where(labelled, 0.0).sum() / labelled.sum().clamp(min=1)


class SoftmaxCrossEntropy(nn.Module):
    """torch's cross-entropy with multi-hot labels as if they were probabilities of one class among C.

    ``mean over rows of -sum_c y_c log softmax(z)_c``. A row without a positive costs nothing and teaches nothing, and
    adding a number to all logits of a row changes nothing: their sigmoid has no meaning. It is here because it was
    tried, not because it fits.
    """

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Args: ``logits`` and ``labels`` (no NaN), (B, C). Returns: a scalar."""
        return functional.cross_entropy(logits.float(), labels.float())


class SoftF1(nn.Module):
    """One minus macro-F1 with probabilities in place of decisions, over the rows that are given together.

    ``1 - mean over classes of 2 sum(p y) / (sum(p) + sum(y))``, sums over the class's labelled rows. As for F1 itself,
    a class with nothing to find and nothing found scores 0, and one without any labelled row is left out of the mean.
    A class without a positive in the batch scores 0 whatever is predicted, so it has no gradient there: small batches
    teach rare classes little. The value depends on how many rows it is taken over.

    Source: Milletari et al. 2016, arXiv:1606.04797 (the same quotient for segmentation, with squares below the line).
    """

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Args: ``logits`` and ``labels`` (NaN = not labelled), (B, C). Returns: a scalar; 0 if nothing is labelled."""
        labelled = ~labels.isnan()
        truth = labels.float().nan_to_num(0.0)
        probabilities = logits.float().sigmoid().where(labelled, 0.0)
        found = 2 * (probabilities * truth).sum(dim=0)
        f1 = found / (probabilities.sum(dim=0) + truth.sum(dim=0)).clamp(min=_TINY)
        counts = labelled.any(dim=0)
        return (1 - f1).where(counts, 0.0).sum() / counts.sum().clamp(min=1)


class Mixture(nn.Module):
    """``(1 - fraction) × first + fraction × second``."""

    def __init__(self, first: nn.Module, second: nn.Module, *, fraction: float) -> None:
        super().__init__()
        self.first, self.second, self.fraction = first, second, fraction

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Args: as both losses take them. Returns: a scalar."""
        first: torch.Tensor = self.first(logits, labels)
        second: torch.Tensor = self.second(logits, labels)
        return (1 - self.fraction) * first + self.fraction * second
