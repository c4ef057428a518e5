"""Counts and lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

LISTED = 3
"""So many cases are named; the rest is counted."""


def more(count: int, listed: int = LISTED) -> str:
    """How many of ``count`` were not listed; nothing if all were."""
    return f" (+{count - listed:,} more)" if count > listed else ""


def joined(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
