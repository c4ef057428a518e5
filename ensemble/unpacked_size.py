"""How much a compressed file unpacks to, asked before it is unpacked: a small file can fill any memory.

And what NumPy raises on damaged files of its own, which it nowhere says. Parquet files: ``ensemble.parquet_files``.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

from ensemble.errors import DataError

NUMPY_DAMAGE = (
    *(OSError, ValueError, EOFError, TypeError, SyntaxError, ArithmeticError, LookupError, RecursionError, MemoryError),
    *(NotImplementedError, RuntimeError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""As found by damaging some thousands of ``.npy`` and ``.npz`` files."""
MAX_PIXELS = 2**26
"""8,192 × 8,192: more than twice the largest digital mammogram, and at most half a gigabyte while it is decoded."""
MAX_ARRAY_BYTES = 2**32 - 2**28
"""Of one array of an ``.npz`` file: 10 million rows of 50 classes as float64."""
MAX_TEXT_BYTES = 2**30
"""Of one column of text in memory."""

_MOST_HEAD_BYTES = 2**16
_MAGIC = b"\x93NUMPY"


def check_size(path: Path, height: int, width: int) -> None:
    """See that an image has pixels, and not too many.

    Args:
        path: The file, for messages.
        height: As the head of the file says, in pixels.
        width: Likewise.

    Raises:
        DataError: It has none, or more than ``MAX_PIXELS``.
    """
    if height < 1 or width < 1:
        raise DataError(f"{path}: expected an image, got one of {height} × {width} pixels, which shows nothing")
    if height * width > MAX_PIXELS:
        raise DataError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels, its head says {height:,} × {width:,}. It was not "
            "decoded: it is damaged or made to fill memory; shrink it if it really is so large"
        )


def check_npz_size(path: Path, *, only: Collection[str] | None = None, in_pieces: Collection[str] = ()) -> None:
    """Look at the directory of an ``.npz`` file; what it says cannot be exceeded while an array is read.

    Args:
        path: The file.
        only: These arrays, e.g. ``train_labels``; None: all.
        in_pieces: Arrays that are read piece by piece: only their heads must be small.

    Raises:
        DataError: An array has more than ``MAX_ARRAY_BYTES``, or the head before its numbers more than any has.
        zipfile.BadZipFile: It is no ZIP archive, or a damaged one.
        OSError: It cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            whole = only is None or name in only
            if whole and member.file_size > MAX_ARRAY_BYTES:
                raise DataError(
                    f"{path}: expected arrays of at most {MAX_ARRAY_BYTES:,} bytes, {member.filename!r} unpacks to "
                    f"{member.file_size:,}. It was not unpacked. Divide the file if it really is so large"
                )
            if whole or name in in_pieces:
                _check_head(path, archive, member)


def _check_head(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """NumPy reads a head of any length before it finds it too long. Those of version 1 cannot be longer than 64 KiB."""
    with archive.open(member) as stream:
        start = stream.read(12)
    length = int.from_bytes(start[8:12], "little")
    if start.startswith(_MAGIC) and start[6:7] > b"\1" and length > _MOST_HEAD_BYTES:
        raise DataError(
            f"{path}: expected a head of at most {_MOST_HEAD_BYTES:,} bytes before the numbers of "
            f"{member.filename!r}, got {length:,}. It was not unpacked: it is damaged or made to fill memory"
        )


def bytes_of_texts(texts: Sequence[str]) -> int:
    """What a NumPy array of these texts takes, in which every text has the room of the longest."""
    return 4 * max(map(len, texts), default=0) * len(texts)
