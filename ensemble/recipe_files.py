"""The recipes that come with the package: listed and copied with nothing but the standard library.

In a wheel they lie inside the package, in a checkout beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ensemble.errors import RecipeError

_PACKAGE = Path(__file__).resolve().parent
_SPACES = "spaces"  # search spaces, which are no recipes
_PLACES = (_PACKAGE / "_recipes", _PACKAGE.parent / "recipes")


class RecipeFile(NamedTuple):
    """One recipe that comes with the package.

    Attributes:
        name: Its path below the recipes, without ``.yaml``: ``vgg14``, ``demo/cnn2``.
        path: The file.
        title: Its first comment line.
    """

    name: str
    path: Path
    title: str

    @property
    def folder(self) -> str:
        """What lies before the last part of the name: ``origin`` of ``origin/05_cnn2``, or nothing."""
        return self.name.rpartition("/")[0]


def recipes_folder() -> Path:
    """Where the recipes lie.

    Raises:
        RecipeError: The installation lacks them.
    """
    for place in _PLACES:
        if place.is_dir():
            return place
    raise RecipeError(f"{_PACKAGE}: expected the package's recipes in _recipes; install timm-ensemble anew")


def list_recipes() -> list[RecipeFile]:
    """All recipes, by name; those in sub-folders last."""
    folder = recipes_folder()
    paths = sorted(
        (path for path in folder.rglob("*.yaml") if path.parent.name != _SPACES),
        key=lambda path: (len(path.parts), path),
    )
    return [RecipeFile(path.relative_to(folder).with_suffix("").as_posix(), path, _title(path)) for path in paths]


def space_file(space: Path) -> Path:
    """The search space that a user means: a file, or by its bare name one that comes with the package."""
    shipped = recipes_folder() / _SPACES / f"{space}.yaml"
    return shipped if not space.exists() and len(space.parts) == 1 and shipped.exists() else space


def _title(path: Path) -> str:
    """The first comment line, without its mark."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.lstrip("# ").rstrip() for line in lines if line.startswith("#")), "")


def copy_recipe(name: str, folder: Path) -> Path:
    """Copy the recipe called ``name`` into ``folder``, as ``<folder>/<name>.yaml``.

    Raises:
        RecipeError: No such recipe, or the file is there already.
    """
    recipes = {recipe.name: recipe for recipe in list_recipes()}
    if name not in recipes:
        raise RecipeError(f"there is no recipe {name!r} in the package; there are {', '.join(recipes)}")
    target = folder / f"{name}.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as stream:
            stream.write(recipes[name].path.read_bytes())
    except FileExistsError as error:
        raise RecipeError(f"{target} is there already: rename or delete it first") from error
    return target
