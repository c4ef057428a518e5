"""Decoding many image files into one array on disk, on several threads (cv2 works without Python's lock)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from ensemble.data.images import Pixels, preprocess, read_grey, sixteen_bit
from ensemble.errors import DataError, many
from ensemble.tables import shortened

Progress = Callable[[int, int], None]

_CHUNK = 256  # images that may wait to be written; bounds memory where the disk is slower than the threads


@dataclass(frozen=True)
class ImageSource:
    """N files to decode.

    Attributes:
        root: The dataset's folder.
        files: N paths relative to ``root``.
        image_size: Height and width to resize to, in pixels.
    """

    root: Path
    files: Sequence[str]
    image_size: tuple[int, int]

    def decode(self, file: str, dtype: DTypeLike) -> Pixels | DataError:
        """One image, or what is wrong with it. Under ``uint16`` an 8-bit image is scaled before it is resized."""
        try:
            image = read_grey(self.root / file)
        except DataError as error:
            return error
        return preprocess(sixteen_bit(image) if dtype == np.uint16 else image, self.image_size)


def write_images(path: Path, source: ImageSource, *, workers: int, progress: Progress | None) -> str:
    """Write the images as one ``.npy`` array of shape (N, H, W), in the order of the files.

    The array is uint8, or uint16 if any file has 16 bits.

    Args:
        path: A new file.
        source: What to decode.
        workers: Threads.
        progress: Called with images done and images in all, now and then.

    Returns:
        The hex SHA-256 of the file.

    Raises:
        DataError: Some of the files cannot be decoded; names the first five and counts the rest.
    """
    first = source.decode(source.files[0], np.uint8)
    started_with = np.uint16 if isinstance(first, np.ndarray) and first.dtype == np.uint16 else np.uint8
    with cv2_on_one_thread(), ThreadPoolExecutor(max(1, workers)) as pool:
        digest = _write_as(started_with, path, source, pool=pool, progress=progress)
        return digest or _write_as(np.uint16, path, source, pool=pool, progress=progress)


def _write_as(
    dtype: type[np.uint8 | np.uint16],
    path: Path,
    source: ImageSource,
    *,
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> str:
    """The file's SHA-256, or nothing if ``dtype`` was not wide enough: then the file is not worth keeping."""
    problems: list[str] = []
    total = len(source.files)
    with path.open("wb") as file:
        stream = _Hashed(file)
        _write_header(stream, dtype, (total, *source.image_size))
        for start in range(0, total, _CHUNK):
            chunk = source.files[start : start + _CHUNK]
            for image in pool.map(lambda file: source.decode(file, dtype), chunk):
                if isinstance(image, DataError):
                    problems.append(str(image))
                elif image.dtype != dtype:
                    return ""
                else:
                    stream.write(image.tobytes())
            if progress is not None:
                progress(start + len(chunk), total)
    if problems:
        raise unusable_images(source.root, problems)
    return stream.sha256.hexdigest()


class _Hashed:
    """Hashes what it writes, so that a large file need not be read once more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._stream.write(content)


def unusable_images(root: Path, problems: Sequence[str]) -> DataError:
    """One error of all files that cannot be decoded, one problem each: the first five, and a count of the rest."""
    return DataError(
        f"{root}: {many(len(problems), 'image')} cannot be used: {shortened(problems)}. "
        "Replace these files, or take their ids out of the tables"
    )


def _write_header(stream: _Hashed, dtype: type[np.uint8 | np.uint16], shape: tuple[int, ...]) -> None:
    """Written, not mapped: a full disk is then an error that can be read, and not the end of the process."""
    descr = npy.dtype_to_descr(np.dtype(dtype))
    npy.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})


@contextmanager
def cv2_on_one_thread() -> Iterator[None]:
    """The images are shared out over threads already; cv2's own would only get in their way."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
