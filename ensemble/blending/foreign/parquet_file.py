"""Parquet: our own prediction tables, which say their scale, and anybody's, such as pandas writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.arrow import stacked, texts_of
from ensemble.blending.foreign.table import OpenTable, id_column_of
from ensemble.dataset.labels import ID_COLUMNS
from ensemble.errors import DataError, first_few
from ensemble.predictions import is_ours, read_predictions
from ensemble.unpacked_size import check_parquet_size

if TYPE_CHECKING:
    import pyarrow as pa

_PANDAS_INDEX = "__index_level_0__"  # what pandas calls an index without a name


def open_parquet(path: Path) -> OpenTable:
    """Open a Parquet file. Where no column is called as ids are, an index without a name that pandas left holds them.

    Raises:
        DataError: It is damaged or no table.
        ArtefactError: It is a prediction table of ours, of another version.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            check_parquet_size(path, file.metadata)
            arrow = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: expected a Parquet table, but it cannot be read ({error})") from error
    if is_ours(arrow.schema.metadata):
        return _open_ours(path)
    header = arrow.column_names
    id_column = id_column_of(path, header)
    if id_column not in ID_COLUMNS and _PANDAS_INDEX in header:
        id_column = _PANDAS_INDEX

    def load(names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        if wrong := [name for name in names if not _is_number(arrow.schema.field(name).type)]:
            kinds = first_few(f"{name} ({arrow.schema.field(name).type})" for name in wrong)
            raise DataError(f"{path}: expected numbers, got other columns: {kinds}")
        return _parquet_ids(path, id_column, arrow), stacked(arrow, names)

    return OpenTable(path, tuple(name for name in header if name not in (id_column, _PANDAS_INDEX)), load)


def _open_ours(path: Path) -> OpenTable:
    table = read_predictions(path)

    def load(names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        columns = [table.class_names.index(name) for name in names]
        return table.image_ids, table.values[:, columns].astype(np.float64)

    return OpenTable(path, table.class_names, load, table.scale, table.notes)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    return bool(kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind))


def _parquet_ids(path: Path, id_column: str, arrow: pa.Table) -> NDArray[np.str_]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.types as kinds  # noqa: PLC0415

    column = arrow.column(id_column)
    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    if not (kinds.is_integer(kind) or kinds.is_string(kind) or kinds.is_large_string(kind)):
        raise DataError(f"{path}, column {id_column!r}: expected ids, as text or whole numbers, got {column.type}")
    return texts_of(column.cast(pa.large_string()))
