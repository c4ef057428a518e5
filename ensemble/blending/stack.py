"""What several members say of the same rows, as one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable

LARGEST_LOGIT = 88.0
"""What certain probabilities, 0 and 1, count as: beyond every float32 logit of another probability below a half."""


@dataclass(frozen=True, eq=False)
class MemberStack:
    """M members' logits of N rows and C classes, in one order.

    Attributes:
        names: M members.
        logits: Shape (M, N, C), float32, finite.
    """

    names: tuple[str, ...]
    logits: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.logits.ndim != 3 or len(self.logits) != len(self.names) or not self.names:
            raise AlignmentError(
                f"a stack needs logits of shape (members, rows, classes), got {self.logits.shape} "
                f"for {len(self.names)} members"
            )

    def __len__(self) -> int:
        """N."""
        return int(self.logits.shape[1])

    def rows(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> MemberStack:
        """The chosen rows, in the order of ``index``."""
        return MemberStack(self.names, self.logits[:, index])

    def probabilities(self) -> NDArray[np.float64]:
        """Shape (M, N, C), float64 in [0, 1]."""
        return np.asarray(expit(self.logits.astype(np.float64)))


def stack_members(tables: Mapping[str, PredictionTable]) -> MemberStack:
    """Stack joined tables (``join_members``).

    Probabilities become logits; 0 and 1 become -88 and 88, so that means of logits exist.

    Args:
        tables: A table a member, all of the same rows and classes in the same order.

    Raises:
        AlignmentError: There is no table, or shapes differ.
    """
    shapes = {table.values.shape for table in tables.values()}
    if len(shapes) != 1:
        raise AlignmentError(f"a stack needs tables of one shape, got {sorted(shapes)}: join them first (join_members)")
    return MemberStack(tuple(tables), np.stack([_logits(table) for table in tables.values()]))


def _logits(table: PredictionTable) -> NDArray[np.float32]:
    return table.values if table.scale == "logits" else logits_of(table.values)


def logits_of(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Float32 logits of probabilities, computed in float64; 0 and 1 become -88 and 88.

    Args:
        probabilities: Any shape, in [0, 1]; NaN stays NaN.
    """
    values = probabilities.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(values) - np.log1p(-values)
    return np.asarray(np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT), dtype=np.float32)
