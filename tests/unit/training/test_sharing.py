"""Which recipes several processes can train together."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ensemble.data.shares import Share
from ensemble.errors import RecipeError
from ensemble.recipe import ModelSettings, Recipe, TrainingSettings
from ensemble.recipe.schema import DataSettings
from ensemble.training import build
from ensemble.training.build import build_state
from ensemble.training.job import Hardware
from ensemble.training.precision import choose_precision
from ensemble.training.sharing import (
    ALONE_NOTICE,
    check_sharing,
    leaves_weights_out,
    rows_at_least,
    share_statistics,
)
from ensemble.training.team import Team

CPU = torch.device("cpu")


def make_recipe(*, model: str = "cnn2", **training: Any) -> Recipe:
    return Recipe(
        data=DataSettings(image_size=(32, 32)), model=ModelSettings(name=model), training=TrainingSettings(**training)
    )


def check(recipe: Recipe, *, processes: int) -> None:
    hardware = Hardware(CPU, choose_precision("float32", CPU), 0, 1, processes=processes)
    check_sharing(recipe, hardware, n_classes=3, title="r.yaml")


@pytest.mark.parametrize(("batch_size", "processes", "rows"), [(48, 1, 2), (1, 1, 1), (8, 4, 2), (7, 4, 1), (4, 4, 1)])
def test_two_images_each_unless_a_batch_has_not_so_many(batch_size: int, processes: int, rows: int) -> None:
    assert rows_at_least(batch_size, processes) == rows


def test_alone_anything_goes() -> None:
    check(make_recipe(batch_size=1, sync_batchnorm=True), processes=1)


def test_more_processes_than_images_and_shared_statistics_on_a_cpu_are_refused_together() -> None:
    with pytest.raises(RecipeError, match="by 4 processes, 2 problems") as refusal:
        check(make_recipe(batch_size=3, sync_batchnorm=True), processes=4)
    assert "training.batch_size is 3, and torchrun has started 4 processes" in str(refusal.value)
    assert "training.sync_batchnorm: torch shares statistics of batch normalisation between GPUs" in str(refusal.value)


def test_a_single_image_each_goes_where_the_network_can_train_on_one() -> None:
    check(make_recipe(model="vit_tiny_patch16_224", batch_size=3), processes=2)
    check(make_recipe(model="resnet10t", batch_size=4), processes=2)
    with pytest.raises(RecipeError, match=r"some of 2 processes have a single image of each batch.*choose 4 or more"):
        check(make_recipe(model="resnet10t", batch_size=3), processes=2)


def test_statistics_are_shared_where_that_is_asked_for() -> None:
    def network() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))

    asks = make_recipe(sync_batchnorm=True)
    assert share_statistics(network(), make_recipe(), 2)[1] == []
    assert share_statistics(network(), asks, 1)[1] == [ALONE_NOTICE]
    model = network()
    shared, said = share_statistics(model, asks, 2)
    assert said == []
    assert isinstance(shared[1], nn.SyncBatchNorm)  # type: ignore[index]
    assert list(shared.state_dict()) == list(network().state_dict())


def test_weights_that_a_step_leaves_out_are_found() -> None:
    whole = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.BatchNorm1d(2))
    assert not leaves_weights_out(whole, (4, 4), CPU)
    assert whole[2].num_batches_tracked == 0
    partial = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    partial.register_parameter("idle", nn.Parameter(torch.zeros(1)))
    assert leaves_weights_out(partial, (4, 4), CPU)


def test_what_a_step_leaves_out_is_asked_before_statistics_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of a network that shares them is an exchange, for which all processes have to be there."""
    shares: list[bool] = []

    def share_any(model: nn.Module) -> bool:
        return any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())

    def asked(model: nn.Module, *where: Any) -> bool:
        shares.append(share_any(model))
        return leaves_weights_out(model, *where)

    monkeypatch.setattr(build, "leaves_weights_out", asked)
    hardware = Hardware(CPU, choose_precision("float32", CPU), 0, 1, processes=2)
    recipe = make_recipe(model="test_resnet", sync_batchnorm=True)
    state, _ = build_state(recipe, hardware, n_classes=3, n_batches=4, team=Team(Share(0, 2)))
    assert shares == [False]
    assert share_any(state.model)
