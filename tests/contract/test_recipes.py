"""Every recipe that ships loads, opens with its description, and has augmentation that works at its size."""

import pytest

from ensemble.data.augment import check_augmentation
from ensemble.recipe import dump_recipe, load_recipe
from ensemble.recipe_files import list_recipes

RECIPES = list_recipes()


def test_their_number():
    assert len(RECIPES) == 7


@pytest.mark.parametrize("found", RECIPES, ids=lambda found: found.name)
def test_it_loads_and_survives_a_round_trip(found, tmp_path):
    recipe = load_recipe(found.path)
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


@pytest.mark.parametrize("found", RECIPES, ids=lambda found: found.name)
def test_its_augmentation_works(found):
    recipe = load_recipe(found.path)
    assert check_augmentation(recipe.augment, recipe.data.image_size) == []


@pytest.mark.parametrize("found", RECIPES, ids=lambda found: found.name)
def test_it_opens_with_what_it_is_the_command_and_what_to_expect(found):
    opening = [line for line in found.path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert f"python -m ensemble.train recipes/{found.name}.yaml" in opening[1]
    assert any("core and time" in line for line in opening)
