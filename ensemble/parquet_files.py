"""Parquet files from anybody, opened so that a small one cannot fill memory.

Text is the danger: one long text is stored once, and any number of rows refer to it. Columns of text therefore stay
dictionaries until it is known how much room their rows take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError
from ensemble.unpacked_size import MAX_ARRAY_BYTES, MAX_TEXT_BYTES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData, ParquetFile

MAX_CELLS = 2**29
"""Values of a Parquet table, rows times columns: in 4 GiB."""

_AT_ONCE = 2**18


@contextmanager
def opened_parquet(path: Path) -> Iterator[ParquetFile]:
    """Open a Parquet file whose own directory says that it fits into memory; its columns of text are dictionaries.

    Raises:
        DataError: There are more than ``MAX_CELLS`` values, more than ``MAX_ARRAY_BYTES`` of text, or decimals that
            are stored as texts of any length.
        pyarrow.ArrowException: It is no Parquet file, or a damaged one.
        OSError: It cannot be read.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - costs 0.1 s, needed only when tables are touched

    metadata = pq.read_metadata(path)
    leaves = [metadata.schema.column(index) for index in range(metadata.num_columns)]
    _check_size(path, metadata, leaves)
    texts = [index for index, leaf in enumerate(leaves) if leaf.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=texts) as file:
        yield file


def _check_size(path: Path, metadata: FileMetaData, leaves: Sequence[Any]) -> None:
    rows, columns, values, text = metadata.num_rows, metadata.num_columns, 0, 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index, leaf in enumerate(leaves):
            chunk = group.column(index)
            values += chunk.num_values  # which Arrow goes by, whatever is said of rows
            if leaf.physical_type == "BYTE_ARRAY":
                text += chunk.total_uncompressed_size
            elif leaf.physical_type == "FIXED_LEN_BYTE_ARRAY":
                text += chunk.num_values * leaf.length
    if max(rows * columns, values) > MAX_CELLS:
        raise DataError(
            f"{path}: expected at most {MAX_CELLS:,} fields, got {rows:,} rows of {columns:,} columns. It was not "
            "read. Divide the file if it really is so large"
        )
    if text > MAX_ARRAY_BYTES:
        raise DataError(
            f"{path}: expected at most {MAX_ARRAY_BYTES:,} bytes of text, got {text:,}. It was not read. Take columns "
            "that are neither ids nor numbers out, or divide the file"
        )
    # Arrow has no dictionaries of these, and writes none itself.
    if odd := [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and _is_decimal(leaf)]:
        raise DataError(f"{path}, column {odd[0]!r}: decimals of any length are not read. Store it as float64")


def _is_decimal(leaf: Any) -> bool:
    return "DECIMAL" in (leaf.logical_type.type, leaf.converted_type)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Of a dictionary, the type of its values; any other type as it is."""
    import pyarrow.types as kinds  # noqa: PLC0415

    return kind.value_type if kinds.is_dictionary(kind) else kind


def texts_of(column: pa.ChunkedArray, *, where: str) -> NDArray[np.str_]:
    """A column of text as an array; what is null becomes empty.

    Args:
        column: Shape (N,), of text or of dictionaries of texts.
        where: The file and the column, for messages.

    Returns:
        Shape (N,).

    Raises:
        DataError: It is damaged, or one text is so long that the array would take more than ``MAX_TEXT_BYTES``.
    """
    import pyarrow as pa  # noqa: PLC0415

    try:
        column.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(f"{where}: expected UTF-8 text, but it is damaged ({error})") from error
    longest = max(map(_longest, column.chunks), default=0)
    if 4 * longest * len(column) > MAX_TEXT_BYTES:
        raise DataError(
            f"{where}: expected texts that fit into {MAX_TEXT_BYTES:,} bytes of memory, got {len(column):,} rows, one "
            f"of them of {longest:,} characters. Shorten it"
        )
    texts = np.empty(len(column), dtype=f"U{max(longest, 1)}")
    for start in range(0, len(column), _AT_ONCE):
        part = column.slice(start, _AT_ONCE).cast(pa.large_string()).fill_null("")
        texts[start : start + len(part)] = part.to_pylist()
    return texts


def _longest(chunk: pa.Array) -> int:
    """In characters."""
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.types as kinds  # noqa: PLC0415

    texts = chunk.dictionary if kinds.is_dictionary(chunk.type) else chunk
    return int(pc.max(pc.utf8_length(texts)).as_py() or 0)
