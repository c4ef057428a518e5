"""Try a recipe before the first fold starts: transforms, model, loss and optimizer, all errors at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.data.augment import check_augmentation
from ensemble.errors import EnsembleError, RecipeError
from ensemble.folds import FoldFile
from ensemble.models import check_model
from ensemble.recipe import Recipe
from ensemble.training.compiled import check_compiler
from ensemble.training.frozen import freeze_backbone
from ensemble.training.graphed import recording_problems
from ensemble.training.inner import count_units, plan_parts
from ensemble.training.losses import build_loss, loss_problems
from ensemble.training.network import build_network, network_settings
from ensemble.training.optim import build_optimizer
from ensemble.training.sizes import planned_sizes, size_problems

# Rows that a loss is tried on.
_TRIED_ROWS = 64
_CPU = torch.device("cpu")


def check_recipe(
    recipe: Recipe,
    *,
    n_classes: int,
    title: str,
    labels: NDArray[np.floating] | None = None,
    device: torch.device = _CPU,
) -> None:
    """Build every part of ``recipe`` once, on small stand-ins.

    Args:
        recipe: What is to be trained.
        n_classes: C of the dataset.
        title: How to call the recipe in the error.
        labels: Shape (N, C), the training rows' labels (NaN = not labelled), which not every loss can use; None: not
            known, nothing is missing.
        device: What ``training.compile`` is to translate for.

    Raises:
        RecipeError: Listing everything that does not work.
    """
    problems = [f"augment: {problem}" for problem in check_augmentation(recipe.augment, recipe.data.image_size)]
    problems += _check_model(recipe, n_classes) or _check_training(recipe, n_classes)
    problems += _check_loss(recipe, np.zeros((2, n_classes)) if labels is None else labels)
    problems += _check_optimizer(recipe)
    problems += _check_compiler(device) if recipe.training.compile else []
    if problems:
        raise RecipeError.gather(f"{title} cannot be trained", problems)


def _check_model(recipe: Recipe, n_classes: int) -> list[str]:
    return check_model(recipe.model.name, **network_settings(recipe, n_classes))


def _check_training(recipe: Recipe, n_classes: int) -> list[str]:
    """What the network says to smaller images, to standing still, and to being recorded."""
    training, image_size = recipe.training, recipe.data.image_size
    if not training.progressive and not training.freeze_backbone_epochs and not training.cuda_graphs:
        return []
    with torch.random.fork_rng(devices=[]):
        model = build_network(recipe, n_classes, blank=True)
    sizes = planned_sizes(training, image_size, model)
    problems = size_problems(model, recipe.model.name, set(sizes) - {image_size})
    try:
        freeze_backbone(model, training.freeze_backbone_epochs)
    except RecipeError as error:
        problems.append(str(error))
    return problems + (recording_problems(model) if training.cuda_graphs else [])


def _check_compiler(device: torch.device) -> list[str]:
    try:
        check_compiler(device)
    except RecipeError as error:
        return [str(error)]
    return []


def fetch_weights(recipe: Recipe, *, n_classes: int, title: str) -> None:
    """Have the hub's weights on this machine, and see that they load, before images are decoded for them.

    Args:
        recipe: What is to be trained; nothing is done unless its ``model.pretrained`` is true.
        n_classes: C of the dataset.
        title: How to call the recipe in the error.

    Raises:
        RecipeError: They cannot be had.
    """
    if recipe.model.pretrained is not True:
        return
    try:
        with torch.random.fork_rng(devices=[]):
            build_network(recipe, n_classes)
    except EnsembleError as error:
        raise RecipeError(f"{title} cannot be trained: {error}") from error


def check_folds(recipe: Recipe, folds: FoldFile, wanted: Iterable[int], *, n_classes: int, title: str) -> None:
    """See that there is something to train on, and to watch, in every fold, before any folds are written.

    Args:
        recipe: What is to be trained.
        folds: As they are or will be.
        wanted: Which of them.
        n_classes: C of the dataset.
        title: How to call the recipe in the error.

    Raises:
        RecipeError: Naming every fold that cannot be trained, and why.
    """
    problems = [problem for fold in wanted for problem in _check_inner_slice(recipe, folds, fold)]
    if recipe.training.batch_size == 1 and not problems:
        with torch.random.fork_rng(devices=[]):
            model = build_network(recipe, n_classes, blank=True)
        try:
            check_lone_image(model, recipe, _CPU)
        except RecipeError as error:
            problems.append(str(error))
    if problems:
        raise RecipeError.gather(f"{title} cannot be trained", problems)


def _check_inner_slice(recipe: Recipe, folds: FoldFile, fold: int) -> list[str]:
    stopping = recipe.training.early_stopping
    if stopping is None:
        return []
    n_units, unit = count_units(folds.groups, folds.folds != fold)
    try:
        plan_parts(stopping.inner_fraction, n_units, unit=unit, where=f"outside fold {fold}")
    except RecipeError as error:
        return [str(error)]
    return []


def _check_loss(recipe: Recipe, labels: NDArray[np.floating]) -> list[str]:
    settings, known = recipe.loss, labels.astype(np.float32)
    problems = loss_problems(settings.name, pos_weight=settings.pos_weight, labels=known, args=settings.args)
    if problems:
        return problems
    loss = build_loss(settings.name, pos_weight=settings.pos_weight, labels=known, args=settings.args)
    logits = torch.zeros((min(len(known), _TRIED_ROWS), known.shape[1]), requires_grad=True)
    value = loss(logits, torch.from_numpy(known[:_TRIED_ROWS]))
    (gradient,) = torch.autograd.grad(value, logits)
    if value.isfinite() and gradient.isfinite().all():
        return []
    return [
        f"loss.args: {settings.name} with these arguments is not finite, or its gradient is not; nearer to 0, please"
    ]


class _StandIn(nn.Sequential):
    """A network with layers that timm can tell apart, for ``layer_decay``."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1), nn.Linear(1, 1))

    def group_matcher(self, *, coarse: bool = False) -> dict[str, str]:  # noqa: ARG002 - timm's signature
        return {"stem": r"^0", "blocks": r"^(\d+)"}


def _check_optimizer(recipe: Recipe) -> list[str]:
    settings = recipe.optimizer
    try:
        build_optimizer(
            _StandIn(),
            settings.name,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            args=settings.args,
        )
    except EnsembleError as error:
        return [str(error)]
    return []


def check_lone_image(model: nn.Module, recipe: Recipe, device: torch.device) -> None:
    """Try to train on a batch of a single image, which batch normalisation may not be able to do.

    Args:
        model: Stays as it is: a copy is tried.
        recipe: Says how small images are.
        device: Where the network is.

    Raises:
        RecipeError: It cannot be done.
    """
    smallest = planned_sizes(recipe.training, recipe.data.image_size, model)[0]
    try:
        copy.deepcopy(model).train()(torch.zeros((1, 1, *smallest), device=device))
    except ValueError as error:
        raise RecipeError(
            f"training: a batch would hold a single image, and the network cannot train on one ({error}). "
            "Use training.batch_size of 2 or more and at least 2 training images, or a network without batch "
            "normalisation"
        ) from error
