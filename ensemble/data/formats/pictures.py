"""PNG, JPEG, BMP, TIFF and WebP: Pillow reads the head, then OpenCV decodes.

Where the two do not agree with the format's rules, as found by writing such files: OpenCV leaves 16-bit TIFF with
white as 0 as it is, multiplies the colours of TIFF with their alpha, and drops the alpha of grey TIFF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ensemble.data.formats.limits import one_image, refused
from ensemble.errors import DataError
from ensemble.unpacked_size import check_size

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG_TIFF = 43
# Of TIFF's tags, the numbers: TIFF 6.0, section 8 and 18.
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 262, 277
_WHITE_IS_ZERO, _RGB = 0, 2
# What Pillow raises for files that it cannot make sense of, and int() for an infinite number of pixels.
_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(struct.error, EOFError),
)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Head:
    """What is known of a picture before it is decoded.

    Attributes:
        white_is_zero: Whether it is a TIFF whose grey values are to be inverted.
        tiff_alpha: Whether it is a TIFF with alpha.
        bits: A channel, of TIFF; 0 where it is not known.
    """

    white_is_zero: bool = False
    tiff_alpha: bool = False
    bits: int = 0


def read_head(path: Path, stream: BinaryIO, size: int) -> Head:
    """Look at the head of a picture.

    Args:
        path: The file, for messages.
        stream: It, at its beginning.
        size: Its bytes.

    Raises:
        DataError: It is no picture, a damaged one, too large, or one of several.
    """
    start = stream.read(4)
    stream.seek(0)
    try:
        return _tiff_head(path, stream) if start in _TIFF else _other_head(path, stream)
    except _BOMBS as error:
        raise DataError(f"{path}: it claims too many pixels to be an image, and was not decoded ({error})") from error
    except _UNREADABLE as error:
        raise refused(path, size) from error


def _other_head(path: Path, stream: BinaryIO) -> Head:
    with Image.open(stream, formats=_FORMATS) as image:
        check_size(path, image.height, image.width)
        # A phone's JPEG carries a small copy of itself, which is no second picture.
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
        if animated:
            one_image(path, int(getattr(image, "n_frames", -1)), what="frames")
        return Head()


def _tiff_head(path: Path, stream: BinaryIO) -> Head:
    start = stream.read(8)
    if start[2] == _BIG_TIFF or start[3] == _BIG_TIFF:
        start += stream.read(8)
    tags = ImageFileDirectory_v2(start)
    stream.seek(tags.next)
    tags.load(stream)
    height, width = int(tags[_HEIGHT]), int(tags[_WIDTH])
    check_size(path, height, width)
    if tags.next:
        one_image(path, -1, what="pages (one may be a small copy)")
    samples, photometric = int(tags.get(_SAMPLES, 1)), int(tags.get(_PHOTOMETRIC, 1))
    usual = 3 if photometric == _RGB else 1
    return Head(
        white_is_zero=photometric == _WHITE_IS_ZERO,
        tiff_alpha=photometric in (_WHITE_IS_ZERO, 1, _RGB) and samples == usual + 1,
        bits=max(tags.get(_BITS, (1,))),
    )


def decode_picture(path: Path, content: bytes) -> NDArray[Any]:
    """Decode a picture.

    Args:
        path: The file, for messages.
        content: Its bytes.

    Returns:
        Shape (H, W), or (H, W, channels): grey and alpha; blue, green, red; or these and alpha.

    Raises:
        DataError: As ``read_head``; or the pixels are damaged, or of a kind that is not read right.
    """
    head = read_head(path, BytesIO(content), len(content))
    if head.tiff_alpha:
        return _tiff_with_alpha(path, content, head)
    try:
        # cv2 answers None for most damage, and raises for some.
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise refused(path, len(content))
    return np.invert(pixels) if head.white_is_zero and pixels.dtype == np.uint16 else np.asarray(pixels)


def _tiff_with_alpha(path: Path, content: bytes, head: Head) -> NDArray[Any]:
    if head.bits != 8:
        raise DataError(
            f"{path}: TIFF with alpha is read with 8 bits a channel alone, this has {head.bits}. Save it as PNG, or "
            "without alpha"
        )
    try:
        with Image.open(BytesIO(content), formats=("TIFF",)) as image:
            pixels = np.asarray(image if image.mode in ("LA", "RGBA") else image.convert("RGBA"))
    except (*_UNREADABLE, *_BOMBS) as error:
        raise refused(path, len(content)) from error
    return pixels if pixels.shape[2] == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
