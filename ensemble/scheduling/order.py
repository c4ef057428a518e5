"""In which order trainings begin: the longest first, so that none is left to train alone at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from ensemble.recipe import Recipe
from ensemble.scheduling.plan import PlannedRun
from ensemble.training.network import build_network


def longest_first(runs: Sequence[PlannedRun], recipes: Mapping[str, Recipe], *, n_classes: int) -> list[PlannedRun]:
    """Sort by what a member's training computes; members that compute alike stay in their order, and folds in theirs.

    Args:
        runs: Finished ones may be among them.
        recipes: By member.
        n_classes: C of the dataset.
    """
    left = {run.member for run in runs if not run.finished}
    if len(left) < 2:
        return list(runs)
    work = {name: training_work(recipe, n_classes) for name, recipe in recipes.items() if name in left}
    return sorted(runs, key=lambda run: -work.get(run.member, 0.0))


def training_work(recipe: Recipe, n_classes: int) -> float:
    """Floating-point operations of a forward pass of one image, times the epochs; nothing is computed.

    0 for a network that torch cannot follow without computing.

    Args:
        recipe: Its network, image size and epochs.
        n_classes: C of the dataset.
    """
    counter = FlopCounterMode(display=False)
    try:
        with torch.random.fork_rng(devices=[]):
            model = build_network(recipe, n_classes, blank=True).to("meta").eval()
        with counter, torch.inference_mode():
            model(torch.empty((1, 1, *recipe.data.image_size), device="meta"))
    except Exception:  # noqa: BLE001 - whatever a network raises without numbers: this is only an order
        return 0.0
    return float(counter.get_total_flops()) * recipe.training.epochs
