"""Decoded, resized images on disk, memory-mapped, shared by all members and their worker processes.

::

    <folder>/<key>/images.npy    (N, H, W), uint8; or uint16 as soon as one of the files has 16 bits
    <folder>/<key>/cache.json    version, size, the N files in order, and the SHA-256 of images.npy

The key covers the version, the size and every file's name, length and time of change. So a changed file means another
folder, and a cache that is there is never written to.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ensemble.data.decode import ImageSource, Progress, write_images
from ensemble.data.images import Pixels
from ensemble.errors import ArtefactError, DataError, first_few
from ensemble.files import locked, read_json, sha256_of_file, write_json

CACHE_VERSION = 1
_IMAGES, _FACTS = "images.npy", "cache.json"


@dataclass(frozen=True, eq=False)
class ImageCache:
    """N images of one size.

    Pickled, it is the name of its folder: a worker process maps the same file again and copies nothing.

    Attributes:
        folder: Where it lies.
        image_files: Shape (N,), text, sorted: the files' paths relative to the dataset's folder.
        images: Shape (N, H, W), uint8 (0..255) or uint16 (0..65535), memory-mapped, read-only, in the order of
            ``image_files``. Where any file has 16 bits, those of 8 bits are scaled by 257 before they are resized.
    """

    folder: Path
    image_files: NDArray[np.str_]
    images: Pixels

    def __len__(self) -> int:
        return len(self.image_files)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of ``images.npy``: which pixels these are, wherever the dataset lies."""
        stored = read_json(self.folder / _FACTS).get("sha256")
        # A release before this one did not store it.
        return stored if isinstance(stored, str) else sha256_of_file(self.folder / _IMAGES)

    def __reduce__(self) -> tuple[Callable[[Path], ImageCache], tuple[Path]]:
        return open_cache, (self.folder,)

    def rows_of(self, image_files: Sequence[str] | NDArray[np.str_]) -> NDArray[np.int64]:
        """Shape (n,): the place in ``images`` of each of ``image_files``, which may repeat.

        Raises:
            DataError: A file is not in the cache.
        """
        wanted = np.asarray(image_files, dtype=np.str_)
        rows = np.searchsorted(self.image_files, wanted)
        known = self.image_files[np.minimum(rows, len(self) - 1)] == wanted
        if not known.all():
            raise DataError(f"{self.folder}: the cache lacks {(~known).sum()} images: {first_few(wanted[~known])}")
        return rows.astype(np.int64)


def build_cache(
    folder: Path,
    root: Path,
    image_files: Sequence[str],
    *,
    image_size: tuple[int, int],
    workers: int = 1,
    progress: Progress | None = None,
) -> ImageCache:
    """The cache of these images: the one that is there, or a new one.

    Two processes may ask for the same cache at once: one builds it, the other waits and uses it. An interrupted
    build leaves nothing that is taken for a cache.

    Args:
        folder: Where caches lie, each in a sub-folder.
        root: The dataset's folder.
        image_files: Paths relative to ``root``; order and repetitions do not matter.
        image_size: Height and width in pixels.
        workers: Threads that decode.
        progress: Called with images done and images in all, while building.

    Raises:
        DataError: Image files are missing or damaged; names the first five and counts the rest.
    """
    files = sorted(set(map(str, image_files)))
    target = folder / _key(root, files, image_size)
    if (cache := _usable(target)) is not None:
        return cache
    with locked(folder / f".{target.name}.lock", wait=True):
        if (cache := _usable(target)) is not None:
            return cache
        _clear(target)
        temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
        temporary.mkdir(parents=True)
        try:
            source = ImageSource(root, files, image_size)
            sha256 = write_images(temporary / _IMAGES, source, workers=workers, progress=progress)
            facts = {"version": CACHE_VERSION, "image_size": list(image_size), "sha256": sha256, "image_files": files}
            write_json(temporary / _FACTS, facts)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return open_cache(target)


def open_cache(folder: Path) -> ImageCache:
    """Map the cache that lies in ``folder``.

    Raises:
        ArtefactError: It is missing, damaged or of another version.
    """
    facts = read_json(folder / _FACTS)
    if facts.get("version") != CACHE_VERSION:
        raise ArtefactError(
            f"{folder}: image cache of version {facts.get('version')}, this release reads {CACHE_VERSION}"
        )
    files = np.array(facts.get("image_files", []), dtype=np.str_)
    path = folder / _IMAGES
    try:
        images = np.load(path, mmap_mode="r")
        size = path.stat().st_size
    except (OSError, ValueError, EOFError) as error:
        raise ArtefactError(f"{folder}: the image cache is damaged ({error}). Remove the folder") from error
    expected = (len(files), *facts.get("image_size", []))
    if images.shape != expected or images.dtype not in (np.uint8, np.uint16) or size != images.offset + images.nbytes:
        raise ArtefactError(
            f"{folder}: the image cache is damaged: expected 8- or 16-bit images of shape {expected}, "
            f"got {images.dtype} of shape {images.shape} in a file of {size} bytes. Remove the folder"
        )
    return ImageCache(folder, files, images)


def _usable(folder: Path) -> ImageCache | None:
    """The cache in ``folder``; None if there is none, or only what is left of one."""
    try:
        return open_cache(folder)
    except ArtefactError:
        return None


def _clear(target: Path) -> None:
    """Remove a damaged cache, and what builds that were killed left behind. Called under the lock."""
    for left in [target, *target.parent.glob(f".{target.name}.*.tmp")]:
        shutil.rmtree(left, ignore_errors=True)


def _key(root: Path, files: Sequence[str], image_size: tuple[int, int]) -> str:
    """20 hex digits of all that the cache depends on."""
    missing, facts = [], []
    for file in files:
        try:
            status = (root / file).stat()
        except OSError:
            missing.append(file)
        else:
            facts.append((file, status.st_size, status.st_mtime_ns))
    if missing:
        raise DataError(f"{root}: {len(missing)} image files are missing: {first_few(missing)}")
    if not files:
        raise DataError(f"{root}: expected images to decode, got none")
    return hashlib.sha256(json.dumps([CACHE_VERSION, image_size, facts]).encode()).hexdigest()[:20]
