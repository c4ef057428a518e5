"""The network that a recipe describes."""

from __future__ import annotations

from typing import Any

from torch import nn

from ensemble.models import build_model
from ensemble.models.small_maps import multiply_small_maps
from ensemble.recipe import Recipe


def network_settings(recipe: Recipe, n_classes: int) -> dict[str, Any]:
    """What ``build_model`` and ``check_model`` are to be told beside the network's name.

    Args:
        recipe: Its ``model`` section, and its image size.
        n_classes: C of the dataset.
    """
    return {
        "num_classes": n_classes,
        "image_size": recipe.data.image_size,
        "pretrained": recipe.model.pretrained,
        "pool": recipe.model.pool,
        "dense_layers": recipe.model.dense_layers,
        "args": recipe.model.args,
    }


def build_network(recipe: Recipe, n_classes: int, *, blank: bool = False) -> nn.Module:
    """The recipe's network, on the CPU, quick on small maps too, drawn from torch's random state.

    Args:
        recipe: Its ``model`` section, and its image size.
        n_classes: C of the dataset.
        blank: Without the pretrained weights that the recipe may name.

    Raises:
        EnsembleError: As ``build_model`` has it.
    """
    settings = network_settings(recipe, n_classes) | ({"pretrained": False} if blank else {})
    return multiply_small_maps(build_model(recipe.model.name, **settings))
