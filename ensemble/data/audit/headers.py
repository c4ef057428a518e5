"""Whether every image file begins as one: a look at its head, which takes a fraction of decoding it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from ensemble.data.decode import unusable_images
from ensemble.data.images import read_pixels
from ensemble.errors import DataError


def check_headers(root: Path, files: Sequence[str], *, workers: int | None = None) -> None:
    """Open every image, without decoding its pixels; what Pillow does not know is decoded as training would.

    A file that is cut off behind its head is not found here.

    Args:
        root: The dataset's folder.
        files: Paths relative to ``root``.
        workers: Threads; None: one for each processor.

    Raises:
        DataError: Some files are no images; names the first five and counts the rest.
    """
    # Entered here and not in the threads, for warning filters are the process's.
    with warnings.catch_warnings(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        warnings.simplefilter("ignore")
        problems = [problem for problem in pool.map(lambda file: _problem(root / file), files) if problem]
    if problems:
        raise unusable_images(root, problems)


def _problem(path: Path) -> str:
    try:
        with Image.open(path):
            return ""
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        pass
    try:
        read_pixels(path)
    except DataError as error:
        return str(error)
    return ""
