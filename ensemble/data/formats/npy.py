"""``.npy``: one array as NumPy writes it. Nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError
from ensemble.unpacked_size import NUMPY_DAMAGE, check_size

MAGIC = b"\x93NUMPY"


def open_npy(path: Path) -> np.memmap[Any, Any]:
    """Map an image, without reading its pixels.

    Returns:
        Shape (H, W), or (H, W, 3 or 4): red, green, blue, and alpha; uint8 or uint16.

    Raises:
        DataError: It is damaged, or an array of another shape or kind.
    """
    try:
        array: np.memmap[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        size = path.stat().st_size
    except NUMPY_DAMAGE as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = ". Arrays of Python objects are not read, for they could run code" if "object" in said else ""
        raise DataError(
            f"{path}: expected an array as numpy.save writes it, but it cannot be read ({said}){hint}"
        ) from error
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise DataError(
            f"{path}: expected an image of shape (height, width), or with 3 or 4 channels at the end, got {array.shape}"
        )
    check_size(path, *array.shape[:2])
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise DataError(
            f"{path}: expected uint8 or uint16, got {array.dtype}, for which nobody says what is black and what is "
            "white. Scale it to 0 … 65535 by one rule for all images, and save it as uint16"
        )
    if size != array.offset + array.nbytes:
        raise DataError(
            f"{path}: expected {array.offset + array.nbytes} bytes as its head says, got {size}: it is damaged"
        )
    return array


def decode_npy(path: Path) -> NDArray[Any]:
    """Read an image.

    Returns:
        Shape (H, W), or (H, W, 3 or 4): blue, green, red, and alpha.

    Raises:
        DataError: As ``open_npy``.
    """
    array = open_npy(path)
    pixels: NDArray[Any] = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA))
