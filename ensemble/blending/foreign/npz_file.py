"""NPZ: the arrays ``id``, ``class_names``, and ``probabilities`` or ``logits``. Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.table import OpenTable
from ensemble.errors import DataError, first_few
from ensemble.predictions import SCALES
from ensemble.unpacked_size import MAX_ARRAY_BYTES, NUMPY_DAMAGE, check_npz_size

_DIGITS = 21  # that NumPy gives every whole number as text


def open_npz(path: Path) -> OpenTable:
    """Open an NPZ file.

    Raises:
        DataError: It is damaged, an array is missing or of another shape or kind, or holds Python objects.
    """
    arrays = _read_npz(path)
    names = _npz_texts(path, arrays, "class_names")
    image_ids = _npz_texts(path, arrays, "id")
    if double := sorted(name for name, count in Counter(names.tolist()).items() if count > 1):
        raise DataError(f"{path}: class_names holds {first_few(double)} more than once")
    said = [scale for scale in SCALES if scale in arrays]
    if len(said) != 1:
        raise DataError(
            f"{path}: expected one of the arrays 'probabilities' and 'logits', got {first_few(arrays, 20) or 'none'}"
        )
    values = arrays[said[0]]
    if values.dtype.kind not in "biuf" or values.shape != (len(image_ids), len(names)):
        raise DataError(
            f"{path}: expected {said[0]} to be numbers of shape {(len(image_ids), len(names))} (ids, class_names), "
            f"got {values.dtype} of shape {values.shape}"
        )
    _refuse_large(path, said[0], values.size * 8)

    def load(wanted: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        columns = [names.tolist().index(name) for name in wanted]
        return image_ids, values[:, columns].astype(np.float64)

    return OpenTable(path, tuple(names.tolist()), load, said[0])


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that are looked at, never unpickled."""
    wanted = ("id", "class_names", *SCALES)
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: expected an NPZ file, as numpy.savez writes it, got another kind of file")
    try:
        check_npz_size(path, only=wanted)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in wanted if name in file.files}
    except NUMPY_DAMAGE as error:
        hint = (
            ". Arrays of Python objects are not read, for they could run code: save ids and class names as text, "
            "numpy.array(ids, dtype=str)"
            if "allow_pickle" in str(error) or "pickle" in str(error)
            else ""
        )
        raise DataError(
            f"{path}: expected an NPZ file of plain arrays, but it cannot be read ({error}){hint}"
        ) from error


def _npz_texts(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.str_]:
    if name not in arrays:
        raise DataError(
            f"{path}: expected the arrays id, class_names and probabilities or logits, but {name} is missing"
        )
    array = arrays[name]
    if array.ndim != 1 or array.dtype.kind not in ("SUiu" if name == "id" else "SU"):
        raise DataError(f"{path}: expected {name} to be one-dimensional text, got {array.dtype} of shape {array.shape}")
    if array.dtype.kind != "U":
        _refuse_large(path, name, len(array) * 4 * (array.dtype.itemsize if array.dtype.kind == "S" else _DIGITS))
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected {name} to be UTF-8 text ({error})") from error
    return array.astype(np.str_)


def _refuse_large(path: Path, name: str, needed: int) -> None:
    """Small numbers and bytes take several times as much as float64 and text."""
    if needed > MAX_ARRAY_BYTES:
        raise DataError(
            f"{path}: expected {name} to take at most {MAX_ARRAY_BYTES:,} bytes in memory, got {needed:,}. Divide the "
            "file if it really is so large"
        )
