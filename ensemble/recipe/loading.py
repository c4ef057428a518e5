"""From a YAML file to a ``Recipe``, or to one error that lists everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ensemble.errors import RecipeError
from ensemble.recipe.keys import dotted, suggestion
from ensemble.recipe.overrides import Override, apply_overrides, override_of, parse_overrides
from ensemble.recipe.schema import RECIPE_VERSION, Recipe
from ensemble.recipe_files import list_recipes
from ensemble.versions import UPDATE
from ensemble.yaml_text import YamlDocument, describe, load_yaml

# What was expected, by pydantic's name of the error; the braces are filled from its context.
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "string_too_short": "a name",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "expected": "{what}",
}


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    ``data.path`` and ``model.pretrained`` stay as written: relative to the current working directory, not to the file.

    Args:
        path: The YAML file.
        overrides: ``key.key=value`` each, the value in YAML; they go before the file, later ones before earlier ones.

    Raises:
        RecipeError: Listing everything that is wrong, each with its line or ``--set``, the key, what was expected and
            what was got. Names of models and transforms are not looked up here.
    """
    if not path.exists():
        raise RecipeError(f"{path}: there is no such recipe{_remedy(path)}")
    document = load_yaml(path, error=RecipeError)
    _refuse_later_version(document)
    given, problems = parse_overrides(overrides)
    data = apply_overrides(document.data, given)
    try:
        # As JSON, for there pydantic's strictness knows that lists stand for tuples and text for paths.
        recipe = Recipe.model_validate_json(json.dumps(data))
    except ValidationError as error:
        found = [_problem(detail, document, given) for detail in error.errors(include_url=False)]
        problems += [sentence for _, sentence in sorted(found, key=lambda problem: problem[0])]
        raise RecipeError.gather(f"{path} cannot be used", problems) from error
    if problems:
        raise RecipeError.gather(f"{path} cannot be used", problems)
    return recipe


def _refuse_later_version(document: YamlDocument) -> None:
    """Said alone: what else such a recipe holds may be right for the release that wrote it."""
    version = document.data.get("version")
    if isinstance(version, int) and version > RECIPE_VERSION:
        raise RecipeError(
            f"{document.path}, line {document.line_of(('version',))}: recipe of format version {version}, written for "
            f"a later release; this release reads up to {RECIPE_VERSION}. {UPDATE}"
        )


def _remedy(path: Path) -> str:
    names = [found.name for found in list_recipes()]
    stem = path.with_suffix("").name
    # The recipe of just that name, or else one in a folder: 05_cnn2 means origin/05_cnn2.
    meant = [name for name in names if name == stem] or [name for name in names if name.endswith(f"/{stem}")]
    if meant:
        return f". One of that name comes with the package: python -m ensemble.train --copy {meant[0]}"
    return f". Those that come with the package: {', '.join(names)} (python -m ensemble.train --copy NAME)"


def _place(detail: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The key that an error is about. Errors of a section, or the recipe, as a whole name it in their context."""
    return (*detail["loc"], *detail.get("ctx", {}).get("key", ()))


def _problem(detail: Mapping[str, Any], document: YamlDocument, overrides: Sequence[Override]) -> tuple[int, str]:
    """The line (0 for an override) and the sentence."""
    place = _place(detail)
    override = override_of(place, overrides)
    line = 0 if override else document.line_of(place)
    return line, f"{override or f'line {line}'}: {dotted(place)}: {_complaint(detail, place)}"


def _complaint(detail: Mapping[str, Any], place: tuple[str | int, ...]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(place)}"
    if kind == "missing":
        return "this key is missing"
    if kind not in _EXPECTED:
        return str(detail["msg"])
    wanted = _EXPECTED[kind].format(**detail.get("ctx", {}))
    if kind == "literal_error":
        wanted = wanted.replace("'", "")
    return f"expected {wanted}, got {describe(_at(detail, place))}"


def _at(detail: Mapping[str, Any], place: tuple[str | int, ...]) -> Any:
    """The offending value; an error of a section as a whole holds all of it."""
    value = detail["input"]
    for key in place[len(detail["loc"]) :]:
        value = value[key]
    return value
