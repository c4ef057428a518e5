"""How large an image's file may be, and how many images it may hold. How many pixels: ``ensemble.unpacked_size``."""

from __future__ import annotations

from pathlib import Path

from ensemble.errors import DataError

MAX_BYTES = 2**30
"""Of an image file."""


def check_bytes(path: Path) -> None:
    """See that a file is not too long to be one image.

    Raises:
        DataError: It is missing, cannot be looked at, or has more than ``MAX_BYTES``.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise DataError(f"{path}: the image file is missing") from error
    except OSError as error:
        raise DataError(f"{path}: the image file cannot be read ({error.strerror})") from error
    if size > MAX_BYTES:
        raise DataError(f"{path}: expected at most {MAX_BYTES:,} bytes for one image, got {size:,}. Is it a volume?")


def one_image(path: Path, count: int, *, what: str) -> None:
    """See that a file holds a single picture, for nobody knows which of several is meant.

    Args:
        path: The file, for messages.
        count: How many there are.
        what: They are called, in the plural.

    Raises:
        DataError: There is another number of them.
    """
    if count != 1:
        number = "more than one" if count < 0 else f"{count:,}"
        raise DataError(f"{path}: expected one image, got {number} {what}. Save each as a file of its own")


def refused(path: Path, size: int) -> DataError:
    """The error of a file that no reader knows."""
    return DataError(
        f"{path}: expected an image, but its {size} bytes cannot be decoded: it is damaged, or none of PNG, JPEG, "
        "BMP, TIFF, WebP, .npy and DICOM"
    )
