"""From a recipe to the objects that a fold is trained with."""

from __future__ import annotations

import torch
from torch import nn

from ensemble.data.loaders import ImageRows
from ensemble.recipe import Recipe
from ensemble.training.compiled import NOTICE, Forward, compile_forward
from ensemble.training.engine import StepSettings, TrainingState
from ensemble.training.frozen import freeze_backbone
from ensemble.training.graphed import GraphedForward, obstacle, record_on_gpu
from ensemble.training.job import Hardware
from ensemble.training.losses import build_loss
from ensemble.training.network import build_network
from ensemble.training.notices import collected_warnings
from ensemble.training.optim import build_ema, build_optimizer, build_schedule, updates_in_epoch
from ensemble.training.pixels import Pixels
from ensemble.training.sharing import leaves_weights_out, share_statistics
from ensemble.training.sizes import ImageSize, planned_sizes, size_begins
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
    return planned_sizes(settings, recipe.data.image_size, model) if settings.progressive else ()


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
    model = model.to(hardware.device).to(memory_format=torch.channels_last)
    some_unused = team.processes > 1 and _some_unused(model, recipe, hardware)
    model, said = share_statistics(model, recipe, team.processes)
    optimizer = build_optimizer(
        model,
        recipe.optimizer.name,
        lr=recipe.optimizer.lr,
        weight_decay=recipe.optimizer.weight_decay,
        args=recipe.optimizer.args,
    )
    updates = updates_in_epoch(n_batches, recipe.training.accumulation_steps)
    sizes = planned_sizes(recipe.training, recipe.data.image_size, model)
    schedule = build_schedule(
        optimizer,
        recipe.schedule.name,
        updates_per_epoch=updates,
        epochs=recipe.training.epochs,
        warmup_epochs=recipe.schedule.warmup_epochs,
        min_lr=recipe.schedule.min_lr,
    ).divided([updates * epoch for epoch in size_begins(sizes)])
    ema = build_ema(model, recipe.training.ema_decay)
    state = TrainingState(
        *(model, ema, optimizer, schedule, hardware.precision.scaler()),
        backbone=freeze_backbone(model, recipe.training.freeze_backbone_epochs),
        forward=_forward(model, recipe, hardware, team, some_unused=some_unused),
    )
    notices += [*said, *filter(None, [schedule.notice]), *_notices_of_the_step(recipe, hardware, team)]
    return state, notices


def _some_unused(model: nn.Module, recipe: Recipe, hardware: Hardware) -> bool:
    """To be asked before statistics are shared: a step would exchange them, which the processes have not agreed on."""
    frozen = recipe.training.freeze_backbone_epochs > 0
    return frozen or leaves_weights_out(model, recipe.data.image_size, hardware.device)


def _forward(model: nn.Module, recipe: Recipe, hardware: Hardware, team: Team, *, some_unused: bool) -> Forward | None:
    """What training calls in place of ``model``, where that is something else."""
    settings = recipe.training
    shared = team.share_gradients(model, some_unused=some_unused) if team.processes > 1 else None
    if settings.compile:
        return compile_forward(shared or model)
    if hardware.device.type == "cuda" and settings.cuda_graphs and not obstacle(settings, team.processes):
        return GraphedForward(model, settings.batch_size, record_on_gpu(hardware.precision))
    return shared


def _notices_of_the_step(recipe: Recipe, hardware: Hardware, team: Team) -> list[str]:
    settings = recipe.training
    asked = settings.cuda_graphs and hardware.device.type == "cuda"
    why = obstacle(settings, team.processes) if asked else ""
    return [NOTICE] * settings.compile + [f"training.cuda_graphs has no effect: {why}"] * bool(why)
