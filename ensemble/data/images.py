"""Image files to grey pixels, by one rule for training and prediction alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

# To be raised with every change that gives other pixels of the same file: caches of before are then not used any more.
_PIXELS_VERSION = 1

# cv2 writes to stderr of damaged files, without their names; the errors here name them. A user's own wish stands.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_EIGHT_TO_SIXTEEN = np.uint16(257)  # 255 * 257 = 65535: white stays white


def read_grey(path: Path) -> Pixels:
    """Read an image file as one channel, with the bits that it has.

    - One channel is taken as it is; a palette is resolved first.
    - RGB that holds grey (R = G = B everywhere) gives that channel, unchanged.
    - Colour gives its luma, 0.299 R + 0.587 G + 0.114 B, rounded.
    - Alpha is composited over black: grey × alpha / maximum, rounded. Opaque alpha changes nothing.

    A file with several pages gives its first one. Orientation tags are not applied.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP, of 8 or 16 bits a channel.

    Returns:
        Shape (H, W), uint8 or uint16, black 0.

    Raises:
        DataError: The file is missing, damaged, no image, or of another depth.

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
    grey = _grey_of(colours)
    return grey if alpha is None else _over_black(grey, alpha)


def read_pixels(path: Path) -> NDArray[Any]:
    """The file's pixels as cv2 gives them, shape (H, W) or (H, W, channels in the order B, G, R, alpha).

    Raises:
        DataError: The file is missing, damaged or no image.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: the image file is missing") from error
    except OSError as error:
        raise DataError(f"{path}: the image file cannot be read ({error.strerror})") from error
    try:
        # cv2 answers None for most damage, and raises for an empty file or one that claims to be enormous.
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(
            f"{path}: expected an image, but its {len(content)} bytes cannot be decoded: it is damaged, or none"
        )
    return np.asarray(pixels)


def _grey_of(colours: list[Pixels]) -> Pixels:
    """One channel of one (grey), or of three in the order B, G, R."""
    first = colours[0]
    if all(np.array_equal(first, other) for other in colours[1:]):
        return first
    luma: NDArray[Any] = cv2.cvtColor(cv2.merge(colours), cv2.COLOR_BGR2GRAY)
    return luma


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
