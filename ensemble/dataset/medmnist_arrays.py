"""The arrays of a MedMNIST file: their heads are looked at before anything is read, and images come one by one.

Source: Yang et al., MedMNIST v2, Scientific Data 10, 41 (2023): arrays ``{train,val,test}_{images,labels}``.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ensemble.errors import DataError
from ensemble.unpacked_size import MAX_ARRAY_BYTES, check_npz_size, check_size

SPLITS = ("train", "val", "test")
_MOST_CLASSES = 1000
_MOST_IMAGES = 5_000_000  # of a split: each becomes a file


@dataclass(frozen=True)
class ImagesHead:
    """What the file says of the images of one split.

    Attributes:
        count: N.
        shape: Of one image, (H, W) or (H, W, 3).
        dtype: uint8 or uint16.
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def image_bytes(self) -> int:
        """Of one image."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_heads(path: Path, archive: zipfile.ZipFile) -> dict[str, ImagesHead]:
    """Split to what is said of its images, of which as many are labelled, and all fits into memory.

    Raises:
        DataError: An array is missing, too large or of another shape or kind.
    """
    images, labels = ([f"{split}_{what}" for split in SPLITS] for what in ("images", "labels"))
    check_npz_size(path, only=labels, in_pieces=images)
    heads, numbers = {}, 0
    for split in SPLITS:
        _refuse_missing(path, archive, split)
        with archive.open(f"{split}_images.npy") as stream:
            heads[split] = _images_head(path, stream)
        with archive.open(f"{split}_labels.npy") as stream:
            shape, _, _ = _head(stream)
        if shape[:1] != (heads[split].count,):
            raise DataError(
                f"{path}: expected a label for each image, got {heads[split].count:,} {split}_images and "
                f"{split}_labels of shape {shape}"
            )
        numbers += math.prod(shape)
    _refuse_large(path, numbers)
    return heads


def _refuse_missing(path: Path, archive: zipfile.ZipFile, split: str) -> None:
    if not {f"{split}_labels.npy", f"{split}_images.npy"} <= set(archive.namelist()):
        raise DataError(
            f"{path}: expected a MedMNIST file, which holds images and labels of train, val and test, but "
            f"{split}_labels or {split}_images is missing. Tables of predictions are given by --oof instead"
        )


def _refuse_large(path: Path, numbers: int) -> None:
    if 8 * numbers > MAX_ARRAY_BYTES:
        raise DataError(
            f"{path}: expected labels that take at most {MAX_ARRAY_BYTES:,} bytes, 8 a number, got {numbers:,} of "
            "them. They were not used: the file is damaged or made to fill memory; divide it if it really is so large"
        )


def _head(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _images_head(path: Path, stream: IO[bytes]) -> ImagesHead:
    shape, fortran, dtype = _head(stream)
    flat = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    if fortran or not flat or min(shape) < 1 or dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{path}: expected images of shape (images, height, width) or (images, height, width, 3), as uint8 or "
            f"uint16, got {dtype} of shape {shape}"
        )
    check_size(path, *shape[1:3])
    if shape[0] > _MOST_IMAGES:
        raise DataError(f"{path}: expected at most {_MOST_IMAGES:,} images a split, got {shape[0]:,}. Divide the file")
    return ImagesHead(shape[0], shape[1:], dtype)


def read_images(path: Path, archive: zipfile.ZipFile, split: str) -> Iterator[NDArray[Any]]:
    """One after the other, for all of them may not fit into memory.

    Raises:
        DataError: As ``read_heads``.
        EOFError: There are fewer than the head says.
    """
    with archive.open(f"{split}_images.npy") as stream:
        head = _images_head(path, stream)
        for _ in range(head.count):
            content = stream.read(head.image_bytes)
            if len(content) != head.image_bytes:
                raise EOFError(f"{split}_images ends early")
            yield np.frombuffer(content, head.dtype).reshape(head.shape)


def read_labels(path: Path, arrays: Any, split: str) -> NDArray[np.int64]:
    """A split's labels, shape (N, L).

    Args:
        path: The file, for messages.
        arrays: It, opened by ``numpy.load``; ``read_heads`` has looked at it.
        split: One of ``SPLITS``.

    Raises:
        DataError: They are no whole numbers from 0 on.
    """
    labels = np.asarray(arrays[f"{split}_labels.npy"])
    labels = labels[:, None] if labels.ndim == 1 else labels
    whole = labels.ndim == 2 and labels.dtype.kind in "biu" and labels.size > 0
    if not whole or int(labels.min()) < 0 or int(labels.max()) > np.iinfo(np.int64).max:
        raise DataError(
            f"{path}: expected {split}_labels to be whole numbers from 0 on, of shape (images, labels), got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    return labels.astype(np.int64)


def columns_of(
    path: Path, labels: Mapping[str, NDArray[np.int64]]
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """0/1 columns and their names. One number an image that is not only 0 or 1 becomes a column for each number.

    Args:
        path: The file, for messages.
        labels: Split to ``read_labels``.

    Raises:
        DataError: The splits have different numbers of labels, or the numbers are no classes.
    """
    widths = {split.shape[1] for split in labels.values()}
    if len(widths) > 1:
        raise DataError(f"{path}: expected as many labels in every split, got {sorted(widths)}")
    greatest = max(int(split.max()) for split in labels.values())
    if greatest <= 1:
        (width,) = widths
        return dict(labels), tuple(f"class_{number}" for number in (range(width) if width > 1 else [1]))
    if widths != {1} or greatest >= _MOST_CLASSES:
        raise DataError(f"{path}: expected labels of 0 and 1, or one class an image, got numbers up to {greatest}")
    _refuse_large(path, sum(map(len, labels.values())) * (greatest + 1))
    classes = np.arange(greatest + 1)
    one_hot = {name: (split == classes).astype(np.int64) for name, split in labels.items()}
    return one_hot, tuple(f"class_{number}" for number in classes)
