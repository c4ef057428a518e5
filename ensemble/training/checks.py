"""Try a recipe before the first fold starts: transforms, model, loss and optimizer, all errors at once."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

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
            nn.Linear(1, 1),
            settings.name,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            args=settings.args,
        )
    except EnsembleError as error:
        return [str(error)]
    return []


def check_lone_image(model: nn.Module, image_size: tuple[int, int], device: torch.device) -> None:
    """Try to train on a batch of a single image, which batch normalisation may not be able to do.

    Args:
        model: Stays as it is: a copy is tried.
        image_size: Height and width.
        device: Where the network is.

    Raises:
        RecipeError: It cannot be done.
    """
    try:
        copy.deepcopy(model).train()(torch.zeros((1, 1, *image_size), device=device))
    except ValueError as error:
        raise RecipeError(
            f"training: a batch would hold a single image, and the network cannot train on one ({error}). "
            "Use training.batch_size of 2 or more and at least 2 training images, or a network without batch "
            "normalisation"
        ) from error
