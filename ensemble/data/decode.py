"""Decoding many image files, on several threads (cv2 works without Python's lock)."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import DTypeLike

from ensemble.data.formats.remarks import counted_remarks, said_of
from ensemble.data.images import Pixels, preprocess, read_grey, sixteen_bit
from ensemble.errors import DataError, many
from ensemble.tables import shortened

Progress = Callable[[int, int], None]

_LOG = logging.getLogger("ensemble.data")


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


def unusable_images(root: Path, problems: Sequence[str]) -> DataError:
    """One error of all files that cannot be decoded, one problem each: the first five, and a count of the rest."""
    return DataError(
        f"{root}: {many(len(problems), 'image')} cannot be used: {shortened(problems)}. "
        "Replace these files, or take their ids out of the tables"
    )


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """For decoding on several threads: cv2's own would only get in their way, and what readers warn of names no file.

    What libraries write to stderr is logged in one line afterwards. To be entered outside these threads, for all of it
    is the process's.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    remarks: Counter[str] = Counter()
    try:
        with warnings.catch_warnings(), counted_remarks() as remarks:
            warnings.simplefilter("ignore")
            yield
    finally:
        cv2.setNumThreads(threads)
        if remarks:
            _LOG.warning("%s", said_of(remarks))
