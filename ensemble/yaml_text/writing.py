"""Plain data as YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ensemble.yaml_text.scalars import plain_value

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./\-]*")


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data so that ``load_yaml`` reads the equal data back.

    Two levels are written in blocks, what is below them in one line each. Numbers keep every digit, keys become text.
    """
    return "".join(f"{line}\n" for key, value in data.items() for line in _block(key, value))


def describe(value: Any) -> str:
    """What was got, for an error message: type and value, shortened."""
    if value is None:
        return "nothing"
    kinds = {dict: "the mapping", list: "the list", str: "the text", bool: "the truth value", float: "the number"}
    shown = flow_text(value)
    return f"{kinds.get(type(value), 'the number')} {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _block(key: str, value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{flow_text(key)}:", *(f"  {flow_text(part)}: {flow_text(inner)}" for part, inner in value.items())]
    if isinstance(value, list) and value:
        return [f"{flow_text(key)}:", *(f"  - {flow_text(item)}" for item in value)]
    return [f"{flow_text(key)}: {flow_text(value)}"]


def flow_text(value: Any) -> str:
    """``value`` in one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow_text(str(key))}: {flow_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and isinstance(plain_value(value), str) else _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def _quoted(text: str) -> str:
    """Double quotes, and an escape for whatever could be taken for a line break or cannot be seen."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'
