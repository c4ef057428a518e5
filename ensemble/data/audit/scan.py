"""All image files of a dataset, read once, on several threads (cv2 and Pillow work without Python's lock)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.files import HASH_BITS, N_BINS, SMALLEST_SIDE, THUMB_SIDE, FileFacts, read_facts
from ensemble.data.decode import quiet_decoders, unusable_images
from ensemble.errors import DataError

Progress = Callable[[int, int], None]

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Scan:
    """N images; about 2 kB each.

    Attributes:
        sizes: Shape (N, 2), int64: heights and widths in pixels.
        properties: Name to values, shape (N,), text.
        pixels: Shape (N,), int64: equal numbers mean equal grey pixels.
        bits: Shape (N, HASH_BITS / 8), uint8: packed perceptual hashes.
        thumbs: Shape (N, THUMB_SIDE, THUMB_SIDE), uint8, each stretched from black to white.
        flat: Shape (N,), bool: nearly of one grey.
        histograms: Shape (N, N_BINS), float32, rows of sum 1.
    """

    sizes: NDArray[np.int64]
    properties: dict[str, NDArray[np.str_]]
    pixels: NDArray[np.int64]
    bits: NDArray[np.uint8]
    thumbs: NDArray[np.uint8]
    flat: NDArray[np.bool_]
    histograms: NDArray[np.float32]

    @property
    def tiny(self) -> NDArray[np.bool_]:
        """Shape (N,): too small to be compared."""
        return np.asarray(self.sizes.min(axis=1) < SMALLEST_SIDE)


def scan_images(root: Path, files: Sequence[str], *, workers: int | None, progress: Progress | None = None) -> Scan:
    """Read the files.

    Args:
        root: The dataset's folder.
        files: N paths relative to ``root``.
        workers: Threads; None: one for each processor.
        progress: Called with images done and images in all, now and then.

    Raises:
        DataError: Some of the files cannot be decoded; names the first five and counts the rest.
    """
    problems: list[str] = []
    facts: list[FileFacts] = []
    with quiet_decoders(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            for found in pool.map(lambda file: _facts_or_error(root / file), chunk):
                if isinstance(found, DataError):
                    problems.append(str(found))
                else:
                    facts.append(found)
            if progress is not None:
                progress(start + len(chunk), len(files))
    if problems:
        raise unusable_images(root, problems)
    return _stacked(facts, files)


def _facts_or_error(path: Path) -> FileFacts | DataError:
    try:
        return read_facts(path)
    except DataError as error:
        return error


def _stacked(facts: Sequence[FileFacts], files: Sequence[str]) -> Scan:
    names = list(facts[0].properties)
    properties = {name: np.array([fact.properties[name] for fact in facts], dtype=np.str_) for name in names}
    properties["folder"] = np.array([str(PurePosixPath(file).parent) for file in files], dtype=np.str_)
    digests = np.array([fact.digest.hex() for fact in facts])
    return Scan(
        sizes=np.array([(fact.height, fact.width) for fact in facts], dtype=np.int64),
        properties=properties,
        pixels=np.unique(digests, return_inverse=True)[1].reshape(-1).astype(np.int64),
        bits=np.stack([fact.bits for fact in facts]).reshape(-1, HASH_BITS // 8),
        thumbs=np.stack([fact.thumb for fact in facts]).reshape(-1, THUMB_SIDE, THUMB_SIDE),
        flat=np.array([fact.flat for fact in facts], dtype=bool),
        histograms=np.stack([fact.histogram for fact in facts]).reshape(-1, N_BINS),
    )
