"""A resolved recipe as YAML, and how two recipes differ."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from ensemble.recipe.schema import Recipe
from ensemble.yaml_text import dump_yaml, flow_text

_NOT_SET = object()


def dump_recipe(recipe: Recipe, overrides: Sequence[str] = ()) -> str:
    """YAML of every key, defaults filled in; ``load_recipe`` reads an equal recipe back.

    Args:
        recipe: What to write.
        overrides: The ``--set`` values that went into it, noted in comments.
    """
    notes = ["# A resolved recipe: every key, defaults filled in.", *map(_note, overrides)]
    return "\n".join(notes) + "\n" + dump_yaml(recipe.model_dump(mode="json"))


def _note(override: str) -> str:
    shown = override if override.isprintable() else repr(override)
    return f"# --set {shlex.quote(shown)}"


def recipe_differences(a: Recipe, b: Recipe) -> list[str]:
    """What differs, ``training.epochs: 3 → 5`` each. Where the data lies (``data.path``) does not count."""
    differences = _differences(a.model_dump(mode="json"), b.model_dump(mode="json"), "")
    return [difference for difference in differences if not difference.startswith("data.path: ")]


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
