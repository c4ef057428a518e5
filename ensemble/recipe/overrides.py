"""``--set training.epochs=3``: values that go before those of the recipe file."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ensemble.recipe.keys import KeyPath, is_known, suggestion
from ensemble.yaml_text import parse_yaml_value


@dataclass(frozen=True)
class Override:
    """One ``--set``.

    Attributes:
        text: As it was given, ``key=value``.
        path: The key, in parts.
        value: Plain data.
    """

    text: str
    path: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        return f"--set {self.text}"


def parse_overrides(texts: Sequence[str]) -> tuple[list[Override], list[str]]:
    """The overrides that can be read, and what is wrong with the others."""
    overrides, problems = [], []
    for text in texts:
        parsed = _parse_override(text)
        if isinstance(parsed, Override):
            overrides.append(parsed)
        else:
            problems.append(f"--set {text}: {parsed}")
    return overrides, problems


def _parse_override(text: str) -> Override | str:
    key, equals, written = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        return "expected KEY=VALUE, e.g. training.epochs=3"
    if not is_known(path):
        return f"unknown key {'.'.join(path)!r}{suggestion(path)}"
    try:
        return Override(text, path, parse_yaml_value(written))
    except ValueError as error:
        return f"the value is not YAML ({error})"


def apply_overrides(data: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """A copy of ``data`` with the overrides in place; a later one wins.

    A section that is missing or null is made. Where a value stands in the place of a section the override is left
    out: that value is an error of its own.
    """
    changed = copy.deepcopy(dict(data))
    for override in overrides:
        section: Any = changed
        for key in override.path[:-1]:
            if section.get(key) is None:
                section[key] = {}
            section = section[key]
            if not isinstance(section, dict):
                break
        else:
            section[override.path[-1]] = copy.deepcopy(override.value)
    return changed


def override_of(path: KeyPath, overrides: Sequence[Override]) -> Override | None:
    """The override that the value at ``path`` came from, if it did not come from the file."""
    above = [override for override in overrides if override.path == tuple(map(str, path))[: len(override.path)]]
    return above[-1] if above else None
