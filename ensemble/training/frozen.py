"""A warm-up of pretrained members: the classifier is trained alone first, while the backbone is frozen.

A new classifier begins with random answers, and their large gradients would spoil what the backbone has learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ensemble.errors import RecipeError


@dataclass(frozen=True, eq=False)
class FrozenBackbone:
    """Which weights stand still at first, and for how long.

    Attributes:
        epochs: How many epochs it is frozen.
        weights: The backbone's that are trained later.
        classifier: What is trained from the start.
    """

    epochs: int
    weights: tuple[nn.Parameter, ...]
    classifier: tuple[nn.Module, ...]

    def prepare(self, model: nn.Module, epoch: int) -> None:
        """Put ``model`` into the mode in which this epoch, from 0, is trained.

        Frozen, the backbone is in evaluation mode: batch normalisation uses its pretrained means and variances and
        leaves them as they are, and nothing is dropped. As none of its weights asks for a gradient, the backward pass
        ends at the classifier.
        """
        frozen = epoch < self.epochs
        model.train(not frozen)
        for module in self.classifier:
            module.train()
        for weight in self.weights:
            weight.requires_grad_(not frozen)


def freeze_backbone(model: nn.Module, epochs: int) -> FrozenBackbone:
    """All of ``model`` but its classifier is the backbone.

    Args:
        model: A timm model; its optimizer has been built, or would miss the frozen weights.
        epochs: How many epochs it is frozen; 0 for never.

    Raises:
        RecipeError: It does not say which of its layers is the classifier.
    """
    if epochs == 0:
        return FrozenBackbone(0, (), ())
    getter: Any = getattr(model, "get_classifier", tuple)
    found = getter()
    classifier = tuple(found) if isinstance(found, tuple | list) else (found,)
    ours = {weight for module in classifier for weight in module.parameters()}
    if not ours:
        raise RecipeError(
            "training.freeze_backbone_epochs: this network does not say which of its layers is the classifier: set it "
            "to 0"
        )
    weights = tuple(weight for weight in model.parameters() if weight.requires_grad and weight not in ours)
    return FrozenBackbone(epochs, weights, classifier)
