"""The origin's VGG networks, named after their number of weight layers: the convolutions and one dense layer.

timm's own ``vgg16_bn`` has the same convolutions as ``vgg14``, but two layers of 4,096 between them and the classes,
maximum pooling only, and a global pool at the end.
"""

from __future__ import annotations

from typing import Any

from ensemble.models.convolutional import ConvolutionalNet, build_convolutional
from ensemble.models.registry import default_configs, register

default_cfgs = default_configs("vgg14", "vgg21", first_conv="stages.0.0")

# VGG-16's thirteen convolutions.
_THIRTEEN = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
# VGG grows (13, 16 convolutions) in its last three stages: so do these twenty, the odd one where it costs least.
_TWENTY = ((64,) * 2, (128,) * 2, (256,) * 5, (512,) * 5, (512,) * 6)


@register(ConvolutionalNet)
def vgg14(*, pretrained: bool = False, **kwargs: Any) -> ConvolutionalNet:
    """VGG-16's thirteen convolutions, with batch norm; five pools; flatten; one dense layer."""
    return build_convolutional("vgg14", _THIRTEEN, pretrained=pretrained, **kwargs)


@register(ConvolutionalNet)
def vgg21(*, pretrained: bool = False, **kwargs: Any) -> ConvolutionalNet:
    """Twenty convolutions in VGG's manner, with batch norm; five pools; flatten; one dense layer."""
    return build_convolutional("vgg21", _TWENTY, pretrained=pretrained, **kwargs)
