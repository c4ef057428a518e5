"""What is tried before a fold's first step."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.folds import FoldFile
from ensemble.recipe import DataSettings, LossSettings, ModelSettings, Recipe
from ensemble.recipe.training import EarlyStopping, SmallImages, TrainingSettings
from ensemble.training.checks import check_folds, check_lone_image, check_recipe, fetch_weights
from ensemble.training.notices import collected_warnings

CPU = torch.device("cpu")
SMALL = Recipe(model=ModelSettings(name="cnn2"), data=DataSettings(image_size=(8, 8)))


def test_a_lone_image_is_refused_where_batch_normalisation_cannot_use_it() -> None:
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(2))
    with pytest.raises(RecipeError, match=r"cannot train on one .*training\.batch_size of 2 or more"):
        check_lone_image(pooled, SMALL, CPU)


def test_a_lone_image_is_tried_at_the_smallest_size() -> None:
    maps = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(6), nn.BatchNorm2d(2))  # 2 × 2 of 16, one of 8
    whole = Recipe(model=ModelSettings(name="cnn2"), data=DataSettings(image_size=(16, 16)))
    check_lone_image(maps, whole, CPU)
    training = TrainingSettings(progressive=(SmallImages(until=0.5, size=0.5),))
    with pytest.raises(RecipeError, match="cannot train on one"):
        check_lone_image(maps, whole.model_copy(update={"training": training}), CPU)


def test_a_lone_image_is_tried_on_a_copy() -> None:
    spatial = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    before = {name: tensor.clone() for name, tensor in spatial.state_dict().items()}
    check_lone_image(spatial, SMALL, CPU)
    assert not spatial.training
    for name, tensor in spatial.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_warnings_are_collected_once_and_only_while_asked(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("ensemble.models.build")
    with collected_warnings("ensemble.models") as said:
        logger.warning("%d kernels were summed", 3)
        logger.info("nobody asked")
    with collected_warnings("ensemble.models") as again:
        pass
    assert (said, again) == (["3 kernels were summed"], [])
    assert capsys.readouterr().err == ""


def recipe_with(**loss: object) -> Recipe:
    return Recipe(model=ModelSettings(name="cnn2"), data=DataSettings(image_size=(16, 16)), loss=LossSettings(**loss))


def test_the_loss_is_checked_with_everything_else() -> None:
    recipe = recipe_with(name="zlpr", pos_weight="balanced", args={"gamma": 1}).model_copy(
        update={"model": ModelSettings(name="cnn2", pool="max", dense_layers=3)}
    )
    labels = np.array([[1, 0, np.nan], [0, 1, 1]])
    with pytest.raises(RecipeError) as caught:
        check_recipe(recipe, n_classes=3, title="r.yaml", labels=labels)
    said = str(caught.value)
    assert said.startswith("r.yaml cannot be trained, 4 problems:")
    for part in ("model.dense_layers", "loss.args.gamma", "loss.pos_weight", "loss.name: zlpr compares"):
        assert part in said


@pytest.mark.parametrize("name", ["bce", "db", "soft_f1"])
def test_a_loss_that_fits_is_not_complained_of(name: str) -> None:
    check_recipe(recipe_with(name=name), n_classes=2, title="r.yaml")
    check_recipe(recipe_with(name=name), n_classes=2, title="r.yaml", labels=np.eye(2))


def test_arguments_that_make_a_loss_infinite_are_found_before_training() -> None:
    recipe = recipe_with(name="twoway", args={"tp": 1e-300})
    with pytest.raises(RecipeError, match=r"loss\.args: twoway with these arguments is not finite"):
        check_recipe(recipe, n_classes=2, title="r.yaml", labels=np.eye(2))


def test_weights_are_fetched_only_where_the_recipe_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("ensemble.models.build.weights_source", unreachable)
    state = torch.random.get_rng_state()
    recipe = recipe_with()
    fetch_weights(recipe, n_classes=2, title="r.yaml")
    wanting = recipe.model_copy(update={"model": ModelSettings(name="resnet10t", pretrained=True)})
    with pytest.raises(RecipeError, match=r"^r\.yaml cannot be trained: model\.pretrained: .*no route to host"):
        fetch_weights(wanting, n_classes=2, title="r.yaml")
    assert torch.equal(torch.random.get_rng_state(), state)


def test_folds_that_cannot_be_trained_are_named_together() -> None:
    stopping = EarlyStopping(patience_epochs=1, inner_fraction=0.1)
    recipe = Recipe(model=ModelSettings(name="cnn2"), training=TrainingSettings(early_stopping=stopping))
    ids = np.arange(9).astype(str)
    groups = np.array(list("aabbccdde"))
    numbers = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2], np.int16)
    folds = FoldFile(ids, groups, numbers, 3, "", False, 0, "made", "", "")
    with pytest.raises(RecipeError, match="small cannot be trained, 2 problems") as caught:
        check_folds(recipe, folds, [0, 1], n_classes=2, title="small")
    assert "outside fold 0 there are only 3 groups" in str(caught.value)
    assert "outside fold 1 there are only 4 groups" in str(caught.value)
    plain = recipe.model_copy(update={"training": TrainingSettings()})
    check_folds(plain, folds, [0, 1, 2], n_classes=2, title="small")


def test_batches_of_one_image_are_refused_before_anything_starts() -> None:
    training = TrainingSettings(batch_size=1)
    ids = np.arange(4).astype(str)
    folds = FoldFile(ids, None, np.array([0, 0, 1, 1], np.int16), 2, "", False, 0, "made", "", "")
    check_folds(Recipe(model=ModelSettings(name="cnn2"), training=training), folds, [0], n_classes=1, title="small")
    pooled = Recipe(model=ModelSettings(name="resnet10t"), data=DataSettings(image_size=(32, 32)), training=training)
    with pytest.raises(RecipeError, match=r"small cannot be trained: .*training\.batch_size of 2 or more"):
        check_folds(pooled, folds, [0], n_classes=1, title="small")
