"""Members that say the same: a copy adds weight, not knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from ensemble.predictions import PredictionTable


@dataclass(frozen=True)
class Copy:
    """Two members with identical columns.

    Attributes:
        first: A member.
        second: The other.
        class_names: The classes in which they are identical.
        whole: In all of them.
    """

    first: str
    second: str
    class_names: tuple[str, ...]
    whole: bool


def find_copies(tables: Mapping[str, PredictionTable]) -> list[Copy]:
    """Pairs of members with at least one identical column.

    Args:
        tables: A table a member, joined (``join_members``).
    """
    columns = {name: _column_hashes(table) for name, table in tables.items()}
    copies = []
    for first, second in combinations(tables, 2):
        pairs = zip(tables[first].class_names, columns[first], columns[second], strict=True)
        same = tuple(name for name, left, right in pairs if left == right)
        if same:
            copies.append(Copy(first, second, same, whole=len(same) == len(columns[first])))
    return copies


def _column_hashes(table: PredictionTable) -> list[int]:
    probabilities = table.probabilities()
    return [hash(probabilities[:, column].tobytes()) for column in range(probabilities.shape[1])]
