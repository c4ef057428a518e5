"""At which size of image each epoch is trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.models import build_model
from ensemble.recipe import DataSettings, ModelSettings, Recipe, SmallImages, TrainingSettings
from ensemble.training.checks import check_recipe
from ensemble.training.sizes import size_multiple, size_problems, sizes_of_epochs

HALF = SmallImages(until=0.5, size=0.5)


@pytest.mark.parametrize(
    ("parts", "epochs", "sides"),
    [
        ([], 3, [48, 48, 48]),
        ([HALF], 4, [24, 24, 48, 48]),
        ([HALF, SmallImages(until=0.75, size=0.7)], 8, [24, 24, 24, 24, 32, 32, 48, 48]),
        ([SmallImages(until=0.99, size=0.5)], 3, [24, 24, 48]),  # the last is at full size always
        ([HALF], 1, [48]),
        ([SmallImages(until=0.5, size=0.01)], 2, [8, 48]),
    ],
)
def test_shares_of_epochs_and_sides(parts: list[SmallImages], epochs: int, sides: list[int]) -> None:
    found = sizes_of_epochs(parts, (48, 96), epochs=epochs, multiple=8)
    assert [height for height, _ in found] == sides
    assert found[-1] == (48, 96)
    assert all(
        width == (96 if height == 48 else found[0][1] if height == sides[0] else width) for height, width in found
    )


def test_height_and_width_keep_their_proportion() -> None:
    assert sizes_of_epochs([HALF], (64, 224), epochs=2, multiple=8)[0] == (32, 112)


def test_sides_are_multiples_of_a_networks_patches() -> None:
    assert size_multiple(build_model("resnet18", num_classes=2, image_size=(32, 32))) == 8
    vit = build_model("vit_tiny_patch16_224", num_classes=2, image_size=(64, 64), args={"dynamic_img_size": True})
    assert size_multiple(vit) == 16
    assert vit(torch.zeros(1, 1, *sizes_of_epochs([HALF], (64, 64), epochs=2, multiple=16)[0])).shape == (1, 2)


def recipe_of(name: str) -> Recipe:
    return Recipe(
        model=ModelSettings(name=name),
        data=DataSettings(image_size=(32, 32)),
        training=TrainingSettings(epochs=2, progressive=(HALF,)),
    )


def test_a_network_of_one_size_is_refused_before_anything_starts() -> None:
    check_recipe(recipe_of("resnet18"), n_classes=2, title="r.yaml")
    said = r"training\.progressive: cnn2 cannot read images of 16 × 16 .*leave it out"
    with pytest.raises(RecipeError, match=said):
        check_recipe(recipe_of("cnn2"), n_classes=2, title="r.yaml")


def test_too_little_memory_says_nothing_of_the_size() -> None:
    class Short(nn.Module):
        def forward(self, _images: torch.Tensor) -> torch.Tensor:
            return torch.empty(1 << 50, dtype=torch.uint8)

    with pytest.raises(RuntimeError, match="allocate memory"):
        size_problems(Short(), "short", {(16, 16)})
