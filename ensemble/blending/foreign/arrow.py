"""Arrow's columns as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def stacked(arrow: pa.Table, names: Sequence[str]) -> NDArray[np.float64]:
    """Columns of numbers, shape (N, len(names)), float64; what is null becomes NaN."""
    import pyarrow as pa  # noqa: PLC0415

    values = np.empty((len(arrow), len(names)))
    for position, name in enumerate(names):
        values[:, position] = arrow.column(name).cast(pa.float64(), safe=False).to_numpy()
    return values
