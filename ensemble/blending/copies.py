"""Members that say the same: a copy adds weight, not knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.stack import stack_members
from ensemble.predictions import PredictionTable

_LOOKED_AT_FIRST = 500
_FEWEST_VALUES = 20
_TOLERANCE = 1e-5  # of logits, relative beyond 1: a sigmoid or a temperature in float32 swaps neighbours


@dataclass(frozen=True)
class Copy:
    """Two members that say the same in some classes.

    Attributes:
        first: A member.
        second: The other.
        class_names: The classes in which they do.
        whole: In all of them.
        rescaled: They put all rows into the same order by other numbers, as by a temperature; else the numbers are
            identical.
    """

    first: str
    second: str
    class_names: tuple[str, ...]
    whole: bool
    rescaled: bool = False


def find_copies(tables: Mapping[str, PredictionTable]) -> list[Copy]:
    """Pairs of members that are identical in at least one class, or are so but for a rising map.

    Args:
        tables: A table a member, joined (``join_members``).
    """
    if len(tables) < 2:
        return []
    class_names = next(iter(tables.values())).class_names
    stack = stack_members(tables)
    columns = [[hash((column + 0.0).tobytes()) for column in logits.T] for logits in stack.logits]
    rows = np.unique(np.linspace(0, len(stack) - 1, min(_LOOKED_AT_FIRST, len(stack))).astype(np.intp))
    copies = []
    for first, second in combinations(range(len(stack.names)), 2):
        same = [left == right for left, right in zip(columns[first], columns[second], strict=True)]
        one, other = stack.logits[first], stack.logits[second]
        alike = [
            not same[column]
            and _same_order(one[rows, column], other[rows, column])
            and _same_order(one[:, column], other[:, column])
            for column in range(len(class_names))
        ]
        for chosen, rescaled in ((same, False), (alike, True)):
            if names := tuple(name for name, is_so in zip(class_names, chosen, strict=True) if is_so):
                whole = len(names) == len(class_names)
                copies.append(Copy(stack.names[first], stack.names[second], names, whole, rescaled))
    return copies


def _same_order(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether no two rows stand one way round in ``one`` and the other in ``other``; too few values cannot tell."""
    order = np.lexsort((other, one))
    ordered = other[order]
    highest = np.maximum.accumulate(ordered)
    if (ordered < highest - _TOLERANCE * (1 + np.abs(highest))).any():
        return False
    fewest, most = sorted((len(np.unique(one)), len(np.unique(other))))
    return fewest >= _FEWEST_VALUES and 2 * fewest >= most
