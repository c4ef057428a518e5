"""The origin's small networks: two or three convolutions."""

from __future__ import annotations

from typing import Any

from ensemble.models.convolutional import ConvolutionalNet, build_convolutional
from ensemble.models.registry import default_configs, register

default_cfgs = default_configs("cnn2", "cnn3", first_conv="stages.0.0")


@register(ConvolutionalNet)
def cnn2(*, pretrained: bool = False, **kwargs: Any) -> ConvolutionalNet:
    """Two convolutions of 32 and 64 channels, each with a pool; flatten; dense."""
    return build_convolutional("cnn2", ((32,), (64,)), pretrained=pretrained, **kwargs)


@register(ConvolutionalNet)
def cnn3(*, pretrained: bool = False, **kwargs: Any) -> ConvolutionalNet:
    """Three convolutions of 32, 64 and 128 channels, each with a pool; flatten; dense."""
    return build_convolutional("cnn3", ((32,), (64,), (128,)), pretrained=pretrained, **kwargs)
