"""How much a compressed table unpacks to, asked before it is unpacked: a small file can fill any memory.

And what NumPy raises on damaged files of its own, which it nowhere says.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.errors import DataError

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

NUMPY_DAMAGE = (
    *(OSError, ValueError, EOFError, TypeError, SyntaxError, ArithmeticError, LookupError, RecursionError, MemoryError),
    *(NotImplementedError, RuntimeError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""As found by damaging some thousands of ``.npy`` and ``.npz`` files."""
MAX_ARRAY_BYTES = 2**32 - 2**28
"""Of one array of an ``.npz`` file: 10 million rows of 50 classes as float64."""
MAX_CELLS = 2**29
"""Rows times columns of a Parquet table: as many, in 4 GiB."""


def check_npz_size(path: Path, *, only: Collection[str] | None = None) -> None:
    """Look at the directory of an ``.npz`` file; what it says cannot be exceeded while an array is read.

    Args:
        path: The file.
        only: These members, e.g. ``train_labels.npy``; None: all.

    Raises:
        DataError: An array has more than ``MAX_ARRAY_BYTES``.
        zipfile.BadZipFile: It is no ZIP archive, or a damaged one.
        OSError: It cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if (only is None or member.filename in only) and member.file_size > MAX_ARRAY_BYTES:
                raise DataError(
                    f"{path}: expected arrays of at most {MAX_ARRAY_BYTES:,} bytes, {member.filename!r} unpacks to "
                    f"{member.file_size:,}. It was not unpacked. Divide the file if it really is so large"
                )


def check_parquet_size(path: Path, metadata: FileMetaData) -> None:
    """Look at a Parquet file's own count of its rows and columns.

    Raises:
        DataError: There are more than ``MAX_CELLS`` fields.
    """
    rows, columns = metadata.num_rows, metadata.num_columns
    if rows * columns > MAX_CELLS:
        raise DataError(
            f"{path}: expected at most {MAX_CELLS:,} fields, got {rows:,} rows of {columns:,} columns. It was not "
            "read. Divide the file if it really is so large"
        )
