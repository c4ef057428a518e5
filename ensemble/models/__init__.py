"""Networks: the origin's architectures as timm models, and one way to build these and any other timm model.

Importing this package registers the origin's architectures, so ``timm.create_model("cnn2", in_chans=1, num_classes=3,
img_size=64)`` works after ``import ensemble.models``.
"""

from __future__ import annotations

from ensemble.models.build import build_model, check_model
from ensemble.models.convolutional import ConvolutionalNet
from ensemble.models.origin_cnn import cnn2, cnn3
from ensemble.models.origin_lstm import RowLstm, lstm
from ensemble.models.origin_vgg import vgg14, vgg21
from ensemble.models.pretrained import load_weights
from ensemble.models.registry import origin_models

__all__ = [
    "ConvolutionalNet",
    "RowLstm",
    "build_model",
    "check_model",
    "cnn2",
    "cnn3",
    "load_weights",
    "lstm",
    "origin_models",
    "vgg14",
    "vgg21",
]
