import subprocess
import sys
from pathlib import Path

import pytest

import ensemble.recipe_files as files
from ensemble.errors import RecipeError
from ensemble.recipe_files import copy_recipe, list_recipes


def test_every_recipe_has_a_name_and_a_title():
    recipes = list_recipes()
    assert [recipe.name for recipe in recipes][:4] == ["cnn2", "cnn3", "convnext_tiny", "efficientnet_lite0"]
    assert [recipe.name for recipe in recipes if recipe.folder == "origin"][:2] == ["origin/01_cnn2", "origin/02_cnn2"]
    assert "demo/cnn2" in [recipe.name for recipe in recipes]
    assert all(recipe.path.is_file() and recipe.title and not recipe.title.startswith("#") for recipe in recipes)


def test_the_packages_own_folder_goes_before_the_checkout(tmp_path, monkeypatch):
    inside = tmp_path / "_recipes"
    inside.mkdir()
    (inside / "one.yaml").write_text("# One recipe.\n", encoding="utf-8")
    (inside / "bare.yaml").write_text("model: {name: x}\n", encoding="utf-8")
    monkeypatch.setattr(files, "_PLACES", (inside, *files._PLACES))
    assert [(recipe.name, recipe.title) for recipe in list_recipes()] == [("bare", ""), ("one", "One recipe.")]


def test_an_installation_without_recipes(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PLACES", (tmp_path / "none",))
    with pytest.raises(RecipeError, match="install timm-ensemble anew"):
        list_recipes()


def test_copy(tmp_path):
    copied = copy_recipe("demo/cnn2", tmp_path / "recipes")
    assert copied == tmp_path / "recipes" / "demo" / "cnn2.yaml"
    assert copied.read_bytes() == (files.recipes_folder() / "demo" / "cnn2.yaml").read_bytes()
    with pytest.raises(RecipeError, match="is there already"):
        copy_recipe("demo/cnn2", tmp_path / "recipes")


@pytest.mark.parametrize("name", ["vgg15", "../cnn2", "/etc/passwd", ""])
def test_copy_of_an_unknown_recipe(tmp_path, name):
    with pytest.raises(RecipeError, match=r"there is no recipe .* in the package; there are cnn2, "):
        copy_recipe(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_listing_needs_nothing_but_the_standard_library():
    root = str(Path(files.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); import ensemble.recipe_files as f; f.list_recipes()"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
