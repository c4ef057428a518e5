"""One image file: what it is, and what of its pixels is needed to compare it with others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ensemble.data.images import Pixels, read_pixels, to_grey

HASH_SIDE = 16
HASH_BITS = HASH_SIDE**2
THUMB_SIDE = 32
N_BINS = 64
FLAT_DEVIATION = 1.5
"""An image whose thumbnail varies by less, in 8-bit grey values, shows nothing that could be compared."""
SMALLEST_SIDE = 16
"""An image with a shorter side, in pixels, is not compared: it has fewer pixels than its hash would have bits."""

_NO_VALUE = "–"
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, eq=False)
class FileFacts:
    """What is kept of an image.

    Attributes:
        height: In pixels; likewise ``width``.
        properties: Name to value, as text: what kind of file it is.
        digest: Equal for two images if and only if their grey pixels are (8 bits and the same in 16 are).
        bits: Shape (HASH_BITS / 8,), uint8: the perceptual hash, packed.
        thumb: Shape (THUMB_SIDE, THUMB_SIDE), uint8, stretched from black to white.
        flat: Whether it is nearly of one grey.
        histogram: Shape (N_BINS,), float32: share of the pixels from black to full scale, sum 1.
    """

    height: int
    width: int
    properties: dict[str, str]
    digest: bytes
    bits: NDArray[np.uint8]
    thumb: NDArray[np.uint8]
    flat: bool
    histogram: NDArray[np.float32]


def read_facts(path: Path) -> FileFacts:
    """Read one file.

    Raises:
        DataError: It is missing, damaged, or no image that training could read.
    """
    pixels = read_pixels(path)
    grey = to_grey(pixels, path)
    shown = eight_bit(grey)
    small = cv2.resize(shown.astype(np.float32), (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
    return FileFacts(
        height=grey.shape[0],
        width=grey.shape[1],
        properties=_properties(path, pixels),
        digest=_digest(grey),
        bits=np.packbits(imagehash.phash(Image.fromarray(shown), hash_size=HASH_SIDE).hash.ravel()),
        thumb=_stretched(small),
        flat=bool(small.std() < FLAT_DEVIATION),
        histogram=_histogram(grey),
    )


def eight_bit(grey: Pixels) -> NDArray[np.uint8]:
    """The image as people can see it: 16 bits are stretched from their darkest to their brightest value."""
    return grey if grey.dtype == np.uint8 else _stretched(grey)  # type: ignore[return-value]


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    wide = values.astype(np.float32)
    low, high = float(wide.min()), float(wide.max())
    if high == low:
        return np.zeros(values.shape, dtype=np.uint8)
    return np.round((wide - low) * (255 / (high - low))).astype(np.uint8)


def _digest(grey: Pixels) -> bytes:
    if grey.dtype == np.uint16 and not (grey % 257).any():
        grey = (grey // 257).astype(np.uint8)
    head = f"{grey.shape}{grey.dtype}".encode()
    return hashlib.blake2b(head + np.ascontiguousarray(grey).tobytes(), digest_size=16).digest()


def _histogram(grey: Pixels) -> NDArray[np.float32]:
    shift = 8 * grey.dtype.itemsize - 6
    counts = np.bincount((grey >> shift).ravel(), minlength=N_BINS)
    return (counts / grey.size).astype(np.float32)


def _properties(path: Path, pixels: NDArray[Any]) -> dict[str, str]:
    """What Pillow reads in the head of the file, and what the pixels are."""
    try:
        with Image.open(path) as image:
            return {
                "mode": _mode(image.mode, pixels),
                "file format": image.format or _NO_VALUE,
                "JPEG tables": _jpeg_tables(image),
                "orientation tag": _orientation(image),
                "embedded metadata": ", ".join(sorted(_metadata(image))) or "none",
            }
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        unknown = dict.fromkeys(("JPEG tables", "orientation tag", "embedded metadata"), _NO_VALUE)
        return {"mode": _mode("", pixels), "file format": path.suffix.lstrip(".").upper(), **unknown}


def _mode(pillow_mode: str, pixels: NDArray[Any]) -> str:
    """The kind of pixels in words: ``grey, 8 bits``; ``RGBA holding grey, 8 bits``."""
    bits = "1 bit" if pillow_mode == "1" else f"{8 * pixels.dtype.itemsize} bits"
    if pixels.ndim == 2:
        return f"palette, {bits}" if pillow_mode in ("P", "PA") else f"grey, {bits}"
    if pillow_mode == "LA" or pixels.shape[2] == 2:
        return f"grey with alpha, {bits}"
    colours = pixels[..., :3]
    content = "holding grey" if (colours == colours[..., :1]).all() else "colour"
    kind = "palette" if pillow_mode in ("P", "PA") else "RGBA" if pixels.shape[2] == 4 else "RGB"
    return f"{kind} {content}, {bits}"


def _orientation(image: Image.Image) -> str:
    # Pillow would decode a whole PNG to look for a tag behind its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return _NO_VALUE
    return str(image.getexif().get(_EXIF_ORIENTATION, _NO_VALUE))


def _jpeg_tables(image: Image.Image) -> str:
    """A short name for a JPEG's quantisation tables: another quality or encoder, another name."""
    tables: dict[int, list[int]] | None = getattr(image, "quantization", None)
    if not tables:
        return _NO_VALUE
    text = repr(sorted((number, list(values)) for number, values in tables.items()))
    mean = np.mean([value for values in tables.values() for value in values])
    return f"mean {mean:.1f} ({hashlib.sha256(text.encode()).hexdigest()[:4]})"


def _metadata(image: Image.Image) -> set[str]:
    """Which kinds of description the file carries."""
    kinds = {"icc_profile": "colour profile", "exif": "EXIF", "dpi": "resolution", "gamma": "gamma"}
    found = {kinds[key] for key in kinds if image.info.get(key)}
    if image.info.get("comment") or any(isinstance(value, str) for value in image.info.values()):
        found.add("text")
    return found
