"""Whether every image file begins as one: a look at its head, which takes a fraction of decoding it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ensemble.data.decode import quiet_decoders, unusable_images
from ensemble.data.images import check_head
from ensemble.errors import DataError


def check_headers(root: Path, files: Sequence[str], *, workers: int | None = None) -> None:
    """Open every image, without decoding its pixels.

    A file that is cut off behind its head is not found here.

    Args:
        root: The dataset's folder.
        files: Paths relative to ``root``.
        workers: Threads; None: one for each processor.

    Raises:
        DataError: Some files are no images; names the first five and counts the rest.
    """
    with quiet_decoders(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(lambda file: _problem(root / file), files) if problem]
    if problems:
        raise unusable_images(root, problems)


def _problem(path: Path) -> str:
    try:
        check_head(path)
    except DataError as error:
        return str(error)
    return ""
