"""Parquet: our own prediction tables, which say their scale, and anybody's, such as pandas writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.arrow import stacked
from ensemble.blending.foreign.table import OpenTable, id_column_of
from ensemble.dataset.labels import ID_COLUMNS
from ensemble.errors import DataError, first_few
from ensemble.parquet_files import opened_parquet, plain_type, texts_of
from ensemble.predictions import is_ours, read_predictions

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

    try:
        with opened_parquet(path) as file:
            schema = file.schema_arrow
            if is_ours(schema.metadata):
                return _open_ours(path)
            id_column = _id_column(path, schema.names)
            numbers = [field.name for field in schema if field.name != id_column and _is_number(field.type)]
            # Ids of another kind are refused when they are asked for; no other text is ever read.
            arrow = file.read([id_column, *numbers] if _are_ids(schema.field(id_column).type) else numbers)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: expected a Parquet table, but it cannot be read ({error})") from error

    def load(names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        if wrong := [name for name in names if not _is_number(schema.field(name).type)]:
            kinds = first_few(f"{name} ({plain_type(schema.field(name).type)})" for name in wrong)
            raise DataError(f"{path}: expected numbers, got other columns: {kinds}")
        kind, where = schema.field(id_column).type, f"{path}, column {id_column!r}"
        if not _are_ids(kind):
            raise DataError(f"{where}: expected ids, as text or whole numbers, got {plain_type(kind)}")
        return _ids(arrow.column(id_column), where), stacked(arrow, names)

    return OpenTable(path, tuple(name for name in schema.names if name not in (id_column, _PANDAS_INDEX)), load)


def _id_column(path: Path, header: Sequence[str]) -> str:
    found = id_column_of(path, header)
    return _PANDAS_INDEX if found not in ID_COLUMNS and _PANDAS_INDEX in header else found


def _open_ours(path: Path) -> OpenTable:
    table = read_predictions(path)

    def load(names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        columns = [table.class_names.index(name) for name in names]
        return table.image_ids, table.values[:, columns].astype(np.float64)

    return OpenTable(path, table.class_names, load, table.scale, table.notes)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    return bool(kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind))


def _are_ids(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    return _are_texts(kind) or bool(kinds.is_integer(plain_type(kind)))


def _are_texts(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    kind = plain_type(kind)
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _ids(column: pa.ChunkedArray, where: str) -> NDArray[np.str_]:
    import pyarrow as pa  # noqa: PLC0415

    return texts_of(column if _are_texts(column.type) else column.cast(pa.large_string()), where=where)
