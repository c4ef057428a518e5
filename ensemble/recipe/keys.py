"""The dotted keys that the schema knows, and what a misspelt one may have meant."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from ensemble.errors import quoted
from ensemble.recipe.fields import Settings
from ensemble.recipe.schema import Recipe

KeyPath = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_\-]{1,100}")


def dotted(path: Sequence[str | int]) -> str:
    """``training.epochs``; the recipe itself is called ``the recipe``. Keys that are no plain words are quoted."""
    return ".".join(_shown(str(part)) for part in path) or "the recipe"


def _shown(part: str) -> str:
    return part if _PLAIN_KEY.fullmatch(part) else quoted(part)


def section_at(path: Sequence[str | int]) -> type[Settings] | None:
    """The section that ``path`` leads to; None where the schema has no section there."""
    section: type[Settings] | None = Recipe
    for key in path:
        if isinstance(key, int):
            continue  # a place in a list of sections
        field = section.model_fields.get(key) if section is not None else None
        section = None if field is None else _section_of(field.annotation)
    return section


def is_known(path: Sequence[str]) -> bool:
    """Whether the schema has this key. Everything below a mapping of free arguments (``args``) counts as known."""
    section: type[Settings] | None = Recipe
    for place, key in enumerate(path):
        if section is None:
            return path[place - 1] == "args"
        if key not in section.model_fields:
            return False
        section = _section_of(section.model_fields[key].annotation)
    return bool(path)


def suggestion(path: Sequence[str | int]) -> str:
    """``; did you mean 'epochs'?`` for an unknown key, or nothing.

    A sibling with a like name comes first, then a key of that name in another section.
    """
    section, wanted = section_at(path[:-1]), str(path[-1])[:100]
    siblings = list(section.model_fields) if section is not None else []
    elsewhere = {key.rsplit(".", 1)[-1]: key for key in all_keys() if not key.startswith("searched.")}
    for known in (dict(zip(siblings, siblings, strict=True)), elsewhere):
        close = get_close_matches(wanted, known, n=1, cutoff=0.7)
        if close:
            return f"; did you mean {known[close[0]]!r}?"
    return f"; known here: {', '.join(siblings)}" if siblings else ""


def all_keys(section: type[Settings] = Recipe, above: str = "") -> Iterator[str]:
    """Every dotted key of the schema, sections before their parts."""
    for name, field in section.model_fields.items():
        yield above + name
        inner = _section_of(field.annotation)
        if inner is not None:
            yield from all_keys(inner, f"{above}{name}.")


def _section_of(annotation: Any) -> type[Settings] | None:
    """The section that a field holds, also where it may be None, or a list of such."""
    options = get_args(annotation) if get_origin(annotation) in (types.UnionType, tuple) else [annotation]
    found = [option for option in options if isinstance(option, type) and issubclass(option, Settings)]
    return found[0] if found else None
