"""The dense layers at the end of the origin's networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ensemble.errors import RecipeError

# The origin's width is not known. Its convolutions of 32 and 64 channels are those of PyTorch's MNIST example, whose
# hidden layer has this width.
_HIDDEN_FEATURES = 128


class DenseHead(nn.Module):
    """One dense layer (features → classes), or two (features → hidden → ReLU → classes).

    Weights start as torch's own for :class:`torch.nn.Linear`: their spread falls with the number of features, of which
    a flattened map of 224 px images has some hundred thousand.

    Attributes:
        num_features: Width of what the classifier reads.
        fc: The classifier, or the identity where ``num_classes`` is 0.

    Args:
        in_features: Width F of the input.
        num_classes: C; 0 leaves the classifier out.
        dense_layers: 1 or 2.
        hidden_features: Width of the first of two layers; None: 128.
        drop_rate: Share of the classifier's inputs that are dropped in training.

    Raises:
        RecipeError: ``dense_layers`` is neither 1 nor 2, or one layer is given a hidden width.
    """

    def __init__(
        self, in_features: int, num_classes: int, *, dense_layers: int, hidden_features: int | None, drop_rate: float
    ) -> None:
        super().__init__()
        if dense_layers not in (1, 2):
            raise RecipeError(f"model.dense_layers: expected 1 or 2, got {dense_layers!r}")
        if dense_layers == 1 and hidden_features is not None:
            raise RecipeError(
                f"model.args.hidden_features: got {hidden_features!r}, but one dense layer has no hidden width: leave "
                "it out, or set model.dense_layers to 2"
            )
        self.hidden: nn.Module = nn.Identity()
        self.num_features = in_features
        if dense_layers == 2:
            self.num_features = _HIDDEN_FEATURES if hidden_features is None else hidden_features
            self.hidden = nn.Sequential(nn.Linear(in_features, self.num_features), nn.ReLU(inplace=True))
        self.drop = nn.Dropout(drop_rate)
        self.fc: nn.Module = _classifier(self.num_features, num_classes)

    def reset(self, num_classes: int, *, like: Tensor) -> None:
        """Put a new classifier of ``num_classes`` outputs in place, on ``like``'s device and of its dtype."""
        self.fc = _classifier(self.num_features, num_classes).to(like.device, like.dtype)

    def forward(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Features (B, F) to logits (B, C), or with ``pre_logits`` to what the classifier would read."""
        read: Tensor = self.drop(self.hidden(features))
        if pre_logits:
            return read
        logits: Tensor = self.fc(read)
        return logits


def _classifier(num_features: int, num_classes: int) -> nn.Module:
    return nn.Linear(num_features, num_classes) if num_classes > 0 else nn.Identity()


def image_shape(in_chans: int, img_size: int | tuple[int, int]) -> tuple[int, int, int]:
    """(channels, height, width) of the images that a network is made for; one number means a square."""
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    return in_chans, int(height), int(width)


def refuse_other_shape(images: Tensor, expected: tuple[int, int, int]) -> None:
    """Say which images a network with a fixed shape wants.

    Raises:
        RecipeError: ``images`` is not (B, *expected).
    """
    if torch.Size(expected) != images.shape[1:]:
        raise RecipeError(
            f"the network was built for images of (channels, height, width) = {expected} and got "
            f"{tuple(images.shape[1:])}: build it with the img_size (data.image_size) of these images"
        )
