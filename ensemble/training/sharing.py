"""Whether, and how, a network can be trained by several processes together."""

from __future__ import annotations

import copy

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import nn

from ensemble.errors import RecipeError
from ensemble.recipe import Recipe
from ensemble.training.checks import check_lone_image
from ensemble.training.job import Hardware
from ensemble.training.network import build_network

ALONE_NOTICE = "training.sync_batchnorm: there is one process, so there are no statistics to share"
"""What a user should know who asks for it without several processes."""


def rows_at_least(batch_size: int, processes: int) -> int:
    """How many images of every batch a process computes at least, if the batch has so many.

    Two, for batch normalisation's sake, unless even a full batch has not so many for each.
    """
    return max(1, min(2, batch_size // processes))


def check_sharing(recipe: Recipe, hardware: Hardware, *, n_classes: int, title: str) -> None:
    """See that the recipe can be trained by ``hardware.processes`` together.

    Args:
        recipe: Its parts work, each by itself.
        hardware: Where.
        n_classes: C of the dataset.
        title: How to call the recipe in the error.

    Raises:
        RecipeError: Listing everything that does not work.
    """
    processes, batch_size = hardware.processes, recipe.training.batch_size
    if processes == 1:
        return
    problems = []
    if batch_size < processes:
        problems.append(
            f"training.batch_size is {batch_size}, and torchrun has started {processes} processes, which share each "
            f"batch: start {batch_size} or fewer, or choose a batch of {processes} or more"
        )
    elif rows_at_least(batch_size, processes) == 1:
        problems += _lone_problem(recipe, n_classes, processes)
    if recipe.training.sync_batchnorm and hardware.device.type != "cuda":
        problems.append(
            f"training.sync_batchnorm: torch shares statistics of batch normalisation between GPUs alone, and this is "
            f"{hardware.device.type}. Set it to false"
        )
    if problems:
        raise RecipeError.gather(f"{title} cannot be trained by {processes} processes", problems)


def _lone_problem(recipe: Recipe, n_classes: int, processes: int) -> list[str]:
    model = build_network(recipe, n_classes, blank=True)
    try:
        check_lone_image(model, recipe, torch.device("cpu"))
    except RecipeError:
        said = (
            f"training.batch_size is {recipe.training.batch_size}, so that some of {processes} processes have a single "
            f"image of each batch, and the network cannot train on one: choose {2 * processes} or more, or start fewer"
        )
        return [said]
    return []


def share_statistics(model: nn.Module, recipe: Recipe, processes: int) -> tuple[nn.Module, list[str]]:
    """The network with batch normalisation over all processes, if the recipe asks for it, and what is to be said."""
    if not recipe.training.sync_batchnorm:
        return model, []
    if processes == 1:
        return model, [ALONE_NOTICE]
    shared: nn.Module = convert_sync_batchnorm(model)
    return shared, []


def leaves_weights_out(model: nn.Module, image_size: tuple[int, int], device: torch.device) -> bool:
    """Whether a step leaves some weights without a gradient; tried on a copy and two black images."""
    tried = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]):
        tried(torch.zeros((2, 1, *image_size), device=device)).sum().backward()
    return any(weight.requires_grad and weight.grad is None for weight in tried.parameters())
