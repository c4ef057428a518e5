"""Try a recipe before the first fold starts: transforms, model, loss and optimizer, all errors at once."""

from __future__ import annotations

import numpy as np
import torch

from ensemble.data.augment import check_augmentation
from ensemble.errors import EnsembleError, RecipeError
from ensemble.models import check_model
from ensemble.recipe import Recipe
from ensemble.training.losses import build_loss
from ensemble.training.optim import build_optimizer


def check_recipe(recipe: Recipe, *, n_classes: int, title: str) -> None:
    """Build every part of ``recipe`` once, on small stand-ins.

    Args:
        recipe: What is to be trained.
        n_classes: C of the dataset.
        title: How to call the recipe in the error.

    Raises:
        RecipeError: Listing everything that does not work.
    """
    problems = [f"augment: {problem}" for problem in check_augmentation(recipe.augment, recipe.data.image_size)]
    problems += _check_model(recipe, n_classes)
    problems += _check_loss(recipe, n_classes)
    problems += _check_optimizer(recipe)
    if problems:
        raise RecipeError.gather(f"{title} cannot be trained", problems)


def _check_model(recipe: Recipe, n_classes: int) -> list[str]:
    return check_model(
        recipe.model.name,
        num_classes=n_classes,
        image_size=recipe.data.image_size,
        pretrained=recipe.model.pretrained,
        pool=recipe.model.pool,
        dense_layers=recipe.model.dense_layers,
        args=recipe.model.args,
    )


def _check_loss(recipe: Recipe, n_classes: int) -> list[str]:
    labels = np.zeros((1, n_classes), dtype=np.float32)
    try:
        build_loss(recipe.loss.name, pos_weight=recipe.loss.pos_weight, labels=labels)
    except EnsembleError as error:
        return [str(error)]
    return []


def _check_optimizer(recipe: Recipe) -> list[str]:
    settings = recipe.optimizer
    try:
        build_optimizer(
            torch.nn.Linear(1, 1),
            settings.name,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            args=settings.args,
        )
    except EnsembleError as error:
        return [str(error)]
    return []
