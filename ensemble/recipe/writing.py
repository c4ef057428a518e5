"""A resolved recipe as YAML, and how two recipes differ."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble.errors import ArtefactError
from ensemble.files import sha256_of_bytes
from ensemble.recipe.schema import RECIPE_VERSION, Recipe
from ensemble.versions import check_version
from ensemble.yaml_text import dump_yaml, flow_text, load_yaml

_NOT_SET = object()
# Keys of ``training`` that came after the first folds were trained, and what was done before. At these they do not
# count in the hash, so that a fold that an earlier release has begun goes on.
_LATER: Mapping[str, Any] = {
    "progressive": [],
    "freeze_backbone_epochs": 0,
    "compile": False,
    "sync_batchnorm": False,
    "score_epochs": "all",
    "tta": None,
}
# How the arithmetic is asked for, not what it is: a fold may be gone on with either way.
_NO_DIFFERENCE = "cuda_graphs"
# Neither the format's version, which the first resolved recipes did not state, nor where settings came from.
_NO_SETTING = ("version", "searched")
_TITLE = "# A resolved recipe: every key, defaults filled in.\n"


def dump_recipe(recipe: Recipe, overrides: Sequence[str] = ()) -> str:
    """YAML of every key, defaults filled in; ``load_recipe`` reads an equal recipe back.

    Args:
        recipe: What to write.
        overrides: The ``--set`` values that went into it, noted in comments.
    """
    notes = "".join(f"{_note(override)}\n" for override in overrides)
    return _TITLE + notes + dump_yaml(recipe.model_dump(mode="json"))


def recipe_hash(recipe: Recipe) -> str:
    """Hex SHA-256 of every setting but where the data lies, and whether a GPU replays its steps."""
    return _hash_of(recipe.model_dump(mode="json"))


def stored_recipe_hash(path: Path) -> str:
    """``recipe_hash`` of a resolved recipe that was stored, by whichever release: later ones may know more keys.

    Raises:
        ArtefactError: It is missing, no YAML, or of a later release.
    """
    content = load_yaml(path, error=ArtefactError).data
    if "version" in content:
        check_version(path, content, what="recipe", reads=RECIPE_VERSION)
    return _hash_of(content)


def _hash_of(content: Mapping[str, Any]) -> str:
    stated = {key: value for key, value in content.items() if key not in _NO_SETTING}
    data = {**content.get("data", {}), "path": None}
    training = {
        key: value
        for key, value in content.get("training", {}).items()
        if key != _NO_DIFFERENCE and (key not in _LATER or value != _LATER[key])
    }
    return sha256_of_bytes((_TITLE + dump_yaml({**stated, "data": data, "training": training})).encode())


def _note(override: str) -> str:
    shown = override if override.isprintable() else repr(override)
    return f"# --set {shlex.quote(shown)}"


def recipe_differences(a: Recipe, b: Recipe) -> list[str]:
    """What differs, ``training.epochs: 3 → 5`` each, but for what does not count in the hash either."""
    differences = _differences(a.model_dump(mode="json"), b.model_dump(mode="json"), "")
    silent = ("data.path: ", f"training.{_NO_DIFFERENCE}: ", "searched: ", "searched.")
    return [one for one in differences if not one.startswith(silent)]


def _differences(before: Any, after: Any, key: str) -> list[str]:
    """Mappings are compared key by key, everything else as a whole."""
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{key}: {_shown(before)} → {_shown(after)}"]
    return [
        difference
        for name in [*before, *(name for name in after if name not in before)]
        for difference in _differences(
            before.get(name, _NOT_SET), after.get(name, _NOT_SET), f"{key}.{name}" if key else name
        )
    ]


def _shown(value: Any) -> str:
    return "(not set)" if value is _NOT_SET else flow_text(value)
