"""From a recipe to the objects that a fold is trained with."""

from __future__ import annotations

import torch
from torch import nn

from ensemble.data.loaders import ImageRows
from ensemble.recipe import Recipe
from ensemble.training.compiled import NOTICE, Forward, compile_forward
from ensemble.training.engine import StepSettings, TrainingState
from ensemble.training.frozen import freeze_backbone
from ensemble.training.job import Hardware
from ensemble.training.losses import build_loss
from ensemble.training.network import build_network
from ensemble.training.notices import collected_warnings
from ensemble.training.optim import build_ema, build_optimizer, build_schedule, updates_in_epoch
from ensemble.training.pixels import Pixels
from ensemble.training.sharing import leaves_weights_out, share_statistics
from ensemble.training.sizes import ImageSize, size_multiple, sizes_of_epochs
from ensemble.training.team import ALONE, Team


def build_settings(
    recipe: Recipe, training: ImageRows, hardware: Hardware, model: nn.Module, team: Team = ALONE
) -> StepSettings:
    """How a batch of ``training`` becomes an update of ``model``."""
    loss = build_loss(
        recipe.loss.name, pos_weight=recipe.loss.pos_weight, labels=training.labels, args=recipe.loss.args
    )
    return StepSettings(
        loss=loss.to(hardware.device),
        pixels=Pixels(recipe.data.mean, recipe.data.std, hardware.device),
        precision=hardware.precision,
        accumulation_steps=recipe.training.accumulation_steps,
        clip_norm=recipe.training.clip_norm,
        sizes=_sizes(recipe, model),
        team=team,
    )


def _sizes(recipe: Recipe, model: nn.Module) -> tuple[ImageSize, ...]:
    settings = recipe.training
    if not settings.progressive:
        return ()
    multiple = size_multiple(model)
    return sizes_of_epochs(settings.progressive, recipe.data.image_size, epochs=settings.epochs, multiple=multiple)


def build_state(
    recipe: Recipe, hardware: Hardware, *, n_classes: int, n_batches: int, team: Team = ALONE
) -> tuple[TrainingState, list[str]]:
    """Network, moving average, optimizer, schedule and scaler, freshly made from torch's random state.

    Args:
        recipe: What to build.
        hardware: Where.
        n_classes: C of the dataset.
        n_batches: Batches an epoch.
        team: Who trains together.

    Returns:
        The state, and what had to be changed of the recipe's wishes or of a file of weights, in words.
    """
    with collected_warnings("ensemble.models") as notices:
        model = build_network(recipe, n_classes)
    model, said = share_statistics(model, recipe, team.processes)
    model = model.to(hardware.device).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(
        model,
        recipe.optimizer.name,
        lr=recipe.optimizer.lr,
        weight_decay=recipe.optimizer.weight_decay,
        args=recipe.optimizer.args,
    )
    schedule = build_schedule(
        optimizer,
        recipe.schedule.name,
        updates_per_epoch=updates_in_epoch(n_batches, recipe.training.accumulation_steps),
        epochs=recipe.training.epochs,
        warmup_epochs=recipe.schedule.warmup_epochs,
        min_lr=recipe.schedule.min_lr,
    )
    ema = build_ema(model, recipe.training.ema_decay)
    state = TrainingState(
        *(model, ema, optimizer, schedule, hardware.precision.scaler()),
        backbone=freeze_backbone(model, recipe.training.freeze_backbone_epochs),
        forward=_forward(model, recipe, hardware, team),
    )
    notices += [*said, *filter(None, [schedule.notice])]
    return state, [*notices, NOTICE] if recipe.training.compile else notices


def _forward(model: nn.Module, recipe: Recipe, hardware: Hardware, team: Team) -> Forward | None:
    """What training calls in place of ``model``, where that is something else."""
    shared: Forward | None = None
    if team.processes > 1:
        some_unused = recipe.training.freeze_backbone_epochs > 0 or leaves_weights_out(
            model, recipe.data.image_size, hardware.device
        )
        shared = team.share_gradients(model, some_unused=some_unused)
    return compile_forward(shared or model) if recipe.training.compile else shared
