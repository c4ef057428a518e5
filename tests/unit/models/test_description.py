"""What a network is said to be, against what its architecture is known to be."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from ensemble.models import build_model
from ensemble.models.description import Description, describe_model, weight_layers


def described(name: str, **settings: Any) -> Description:
    return describe_model(build_model(name, num_classes=3, image_size=(32, 32), **settings))


@pytest.mark.parametrize(
    ("name", "settings", "layers", "pool", "dense"),
    [
        ("cnn2", {}, 3, "max", 1),
        ("cnn2", {"pool": "avg", "dense_layers": 2}, 4, "avg", 2),
        ("vgg14", {"pool": "max"}, 14, "max", 1),
        ("vgg21", {"pool": "avg"}, 21, "avg", 1),
        ("lstm", {}, 5, None, 1),
        ("lstm", {"args": {"stem_channels": 0, "projection": 0, "num_layers": 1, "bidirectional": False}}, 2, None, 1),
        ("resnet18", {}, 21, None, None),
    ],
)
def test_layers_are_counted(name: str, settings: dict[str, Any], layers: int, pool: str | None, dense: int) -> None:
    found = described(name, **settings)
    assert (found.weight_layers, found.pool, found.dense_layers) == (layers, pool, dense)


def test_parameters_are_the_trainable_ones() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2, bias=False))
    model[2].weight.requires_grad_(False)
    assert describe_model(model).parameters == 4 * 3 + 3 + 3 + 3
    assert describe_model(model).weight_layers == 2


def test_normalisation_and_embeddings_are_no_layers() -> None:
    assert weight_layers(nn.Sequential(nn.LayerNorm((3, 3)), nn.Embedding(5, 2), nn.GRU(3, 4, 3), nn.PReLU(3))) == 3
