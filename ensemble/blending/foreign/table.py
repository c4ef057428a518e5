"""What a table from anywhere is once it has been opened, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.labels import ID_COLUMNS
from ensemble.errors import DataError, first_few
from ensemble.predictions import Scale

Loader = Callable[[Sequence[str]], tuple[NDArray[np.str_], NDArray[np.float64]]]


@dataclass(frozen=True, eq=False)
class OpenTable:
    """A table whose columns are known and whose numbers are read when asked for.

    Attributes:
        path: The file.
        columns: All columns but the ids', in the file's order; unique.
        load: Takes names of columns; returns ids, shape (N,), text verbatim, and numbers, shape (N, len(names)),
            float64, NaN where a field is empty. Raises DataError where a field is no number.
        scale: What the file says that its numbers are; None: it does not say.
        notes: What else it says of itself; our own tables do.
    """

    path: Path
    columns: tuple[str, ...]
    load: Loader
    scale: Scale | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The file with its folder's name: a member's tables of training and test rows are called alike."""
        return f"{self.path.parent.name}/{self.path.name}"


def id_column_of(path: Path, header: Sequence[str]) -> str:
    """The column of the ids: ``id`` or ``image_id``, else the first one.

    Raises:
        DataError: There are no columns, or two of one name.
    """
    if double := sorted(name for name, count in Counter(header).items() if count > 1):
        raise DataError(f"{path}: the columns {first_few(double)} are there more than once: rename or remove one")
    if not header:
        raise DataError(f"{path}: expected an id and a column for every class, got no columns")
    return next((name for name in ID_COLUMNS if name in header), header[0])
