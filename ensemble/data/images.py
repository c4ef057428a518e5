"""Image files to grey pixels, by one rule for training and prediction alike."""

from __future__ import annotations

import itertools
import logging
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.data.formats import dicom, npy
from ensemble.data.formats.limits import check_bytes
from ensemble.data.formats.pictures import decode_picture, read_head
from ensemble.errors import DataError, printable

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

# To be raised with every change that gives other pixels of the same file: caches of before are then not used any more.
_PIXELS_VERSION = 2

# cv2 writes to stderr of damaged files, without their names; the errors here name them. A user's own wish stands.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_LOG = logging.getLogger("ensemble.data")
_COLOURED = itertools.count()  # of a process: the first is named, thousands would say no more

_EIGHT_TO_SIXTEEN = np.uint16(257)  # 255 * 257 = 65535: white stays white


def read_grey(path: Path) -> Pixels:
    """Read an image file as one channel, with the bits that it has.

    - One channel is taken as it is; a palette is resolved first.
    - RGB that holds grey (R = G = B everywhere) gives that channel, unchanged.
    - Colour gives its luma, 0.299 R + 0.587 G + 0.114 B, rounded; the first such file is named in a warning.
    - Alpha is composited over black: grey × alpha / maximum, rounded. Opaque alpha changes nothing.

    Orientation tags are not applied.

    Args:
        path: PNG, JPEG, BMP, TIFF, WebP or ``.npy``, of 8 or 16 bits a channel; or DICOM.

    Returns:
        Shape (H, W), uint8 or uint16, black 0.

    Raises:
        DataError: The file is missing, damaged, no image, several images, too large, or of another depth.

    Source: Recommendation ITU-R BT.601-7, 2.5.1 (luma).
    """
    return to_grey(read_pixels(path), path)


def to_grey(pixels: NDArray[Any], path: Path) -> Pixels:
    """``read_grey`` of a file that is decoded already.

    Args:
        pixels: As ``read_pixels`` returns them.
        path: The file, for messages.

    Raises:
        DataError: Neither 8 nor 16 bits a channel, or more than four channels.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path}: expected 8 or 16 bits a channel, got {pixels.dtype}. Convert the image")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] > 4:
        raise DataError(f"{path}: expected grey or RGB, with or without alpha, got {pixels.shape[2]} channels")
    *colours, alpha = cv2.split(pixels) if pixels.shape[2] in (2, 4) else (*cv2.split(pixels), None)
    grey, coloured = _grey_of(colours)
    if coloured and next(_COLOURED) == 0:
        shown = printable(str(path))
        _LOG.warning("%s holds colour, of which only the luma is used: 0.299 R + 0.587 G + 0.114 B", shown)
    return grey if alpha is None else _over_black(grey, alpha)


def read_pixels(path: Path) -> NDArray[Any]:
    """The file's pixels, shape (H, W) or (H, W, channels in the order B, G, R, alpha).

    What kind of file it is, is told by its first bytes, not by its name.

    Raises:
        DataError: The file is missing, damaged, no image, several images, or of more than ``MAX_PIXELS``.
    """
    check_bytes(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the image file cannot be read ({error.strerror})") from error
    if content.startswith(npy.MAGIC):
        return npy.decode_npy(path)
    if content.startswith(dicom.MAGIC, dicom.MAGIC_AT):
        return dicom.decode_dicom(path, content)
    return decode_picture(path, content)


def check_head(path: Path) -> None:
    """Look at a file's head, without decoding its pixels. A file that is cut off behind its head is not found.

    Raises:
        DataError: As ``read_pixels``, as far as the head tells.
    """
    check_bytes(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(dicom.MAGIC_AT + len(dicom.MAGIC))
            stream.seek(0)
            if start.startswith(npy.MAGIC):
                npy.open_npy(path)
            elif start.startswith(dicom.MAGIC, dicom.MAGIC_AT):
                dicom.check_dicom(path, stream)
            else:
                read_head(path, stream, path.stat().st_size)
    except OSError as error:
        raise DataError(f"{path}: the image file cannot be read ({error.strerror})") from error


def _grey_of(colours: list[Pixels]) -> tuple[Pixels, bool]:
    """One channel of one (grey), or of three in the order B, G, R; and whether that loses colour."""
    first = colours[0]
    if all(np.array_equal(first, other) for other in colours[1:]):
        return first, False
    luma: NDArray[Any] = cv2.cvtColor(cv2.merge(colours), cv2.COLOR_BGR2GRAY)
    return luma, True


def _over_black(grey: Pixels, alpha: Pixels) -> Pixels:
    maximum = np.iinfo(grey.dtype).max
    if (alpha == maximum).all():
        return grey
    product = grey.astype(np.uint64) * alpha.astype(np.uint64)
    composited: NDArray[Any] = ((product + maximum // 2) // maximum).astype(grey.dtype)
    return composited


def sixteen_bit(image: Pixels) -> NDArray[np.uint16]:
    """The image in 16 bits: 8-bit values times 257, so that 0 stays black and 255 becomes 65535."""
    return image.astype(np.uint16) * _EIGHT_TO_SIXTEEN if image.dtype == np.uint8 else image.astype(np.uint16)


def preprocess(image: Pixels, image_size: tuple[int, int]) -> Pixels:
    """Resize to ``image_size``; the sides' ratio is not kept, as in the origin.

    A side that shrinks is averaged over areas; a side that grows is interpolated linearly. Shrinking comes first.

    Args:
        image: Shape (H, W), uint8 or uint16.
        image_size: Height and width of the result, in pixels.

    Returns:
        Shape ``image_size``, of the image's dtype. The image itself if it has that size already.
    """
    height, width = image_size
    smaller = min(height, image.shape[0]), min(width, image.shape[1])
    return _resize(_resize(image, smaller, cv2.INTER_AREA), image_size, cv2.INTER_LINEAR)


def _resize(image: Pixels, size: tuple[int, int], interpolation: int) -> Pixels:
    if image.shape == size:
        return image
    resized: NDArray[Any] = cv2.resize(image, (size[1], size[0]), interpolation=interpolation)
    return resized
