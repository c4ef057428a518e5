"""The longest training begins first."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ensemble.recipe import DataSettings, ModelSettings, Recipe, TrainingSettings
from ensemble.scheduling import order
from ensemble.scheduling.order import longest_first, training_work
from ensemble.scheduling.plan import PlannedRun


def recipe_of(network: str, *, pixels: int = 32, epochs: int = 2) -> Recipe:
    return Recipe(
        model=ModelSettings(name=network),
        data=DataSettings(image_size=(pixels, pixels)),
        training=TrainingSettings(epochs=epochs),
    )


def run_of(member: str, fold: int, *, finished: bool = False) -> PlannedRun:
    return PlannedRun(member, fold, ("true",), Path("log"), Path("progress"), finished=finished)


def test_the_longest_begins_and_folds_stay_in_order() -> None:
    recipes = {"quick": recipe_of("cnn2"), "slow": recipe_of("resnet18"), "middle": recipe_of("cnn2", epochs=3)}
    runs = [run_of(member, fold) for member in recipes for fold in range(2)]
    before = torch.random.get_rng_state()
    ordered = longest_first(runs, recipes, n_classes=3)
    assert [run.title for run in ordered] == [
        *("slow fold 0", "slow fold 1", "middle fold 0", "middle fold 1", "quick fold 0", "quick fold 1")
    ]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_member_that_is_left_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "training_work", None)
    runs = [run_of("quick", 0), run_of("quick", 1), run_of("slow", 0, finished=True)]
    recipes = {"quick": recipe_of("cnn2"), "slow": recipe_of("resnet18")}
    assert longest_first(runs, recipes, n_classes=3) == runs


def test_work_grows_with_the_image_and_the_epochs_and_recurrent_networks_count() -> None:
    small = training_work(recipe_of("cnn2"), 3)
    assert training_work(recipe_of("cnn2", epochs=4), 3) == 2 * small
    assert 3 * small < training_work(recipe_of("cnn2", pixels=64), 3) < 5 * small
    assert training_work(recipe_of("lstm"), 3) > 0


def test_a_network_that_must_compute_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    class Looks(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images * float(images.sum())

    monkeypatch.setattr(order, "build_network", lambda *_args, **_more: Looks())
    assert training_work(recipe_of("cnn2"), 3) == 0
