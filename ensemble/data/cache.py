"""Decoded, resized images on disk, memory-mapped, shared by all folds, members and their worker processes.

::

    <folder>/<key>/images.npy    (N, H, W), uint8; or uint16 as soon as one of the files has 16 bits
    <folder>/<key>/cache.json    versions, size, the N files in order, SHA-256 and checksums of images.npy
    <folder>/.<key>.part/        a build that is under way, or was killed

The key covers the versions, the size, every file's name, length and time of change, and the beginnings of 16 of them.
So a changed file means another folder, and a cache that is there is never written to. A folder of caches may be deleted
whenever nothing runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ensemble.data.cache_blocks import FACTS, IMAGES, Layout, bytes_of, layout_of
from ensemble.data.cache_build import write_images
from ensemble.data.cache_check import check_pixels, facts_to_check
from ensemble.data.decode import ImageSource, Progress
from ensemble.data.images import _PIXELS_VERSION, Pixels
from ensemble.errors import ArtefactError, DataError, StorageError, first_few
from ensemble.files import locked, read_json, storage_errors, sync_folder, write_json
from ensemble.unpacked_size import NUMPY_DAMAGE

CACHE_VERSION = 2
_SAMPLED_FILES, _SAMPLED_BYTES = 16, 1 << 18


@dataclass(frozen=True, eq=False)
class ImageCache:
    """N images of one size.

    Pickled, it is the name of its folder: a worker process opens the same files again and copies nothing.

    Attributes:
        folder: Where it lies.
        image_files: Shape (N,), text, sorted: the files' paths relative to the dataset's folder.
        images: Shape (N, H, W), uint8 (0..255) or uint16 (0..65535), memory-mapped, read-only, in the order of
            ``image_files``. Where any file has 16 bits, those of 8 bits are scaled by 257 before they are resized.
        sha256: Hex digest of ``images.npy``: which pixels these are, wherever the dataset lies.
    """

    folder: Path
    image_files: NDArray[np.str_]
    images: Pixels
    sha256: str

    def __len__(self) -> int:
        return len(self.image_files)

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

    def gather(self, rows: NDArray[np.int64]) -> Pixels:
        """The images of ``rows``, shape (n, H, W), as an array of its own.

        Read, not copied out of the map: pages that were looked at through a map count as this process's memory, which
        would grow with the data; and a disk that fails is then an error, and not the end of the process.

        Raises:
            ArtefactError: The file was cut short after it was opened.
            StorageError: The disk fails, or the file is gone.
        """
        gathered: Pixels = np.empty((len(rows), *self.images.shape[1:]), self.images.dtype)
        content, length = bytes_of(gathered), self.images.strides[0]
        read = 0
        with storage_errors(self.folder / IMAGES, "read"):
            for place, row in enumerate(rows.tolist()):
                into = content[place * length : (place + 1) * length]
                read += os.preadv(self._descriptor, [into], self._first_byte + row * length)
        if read != len(content):
            raise ArtefactError(f"{self.folder}: the image cache was cut short while it was in use. Start again")
        return gathered

    @cached_property
    def _first_byte(self) -> int:
        return (self.folder / IMAGES).stat().st_size - self.images.nbytes

    @cached_property
    def _descriptor(self) -> int:
        descriptor = os.open(self.folder / IMAGES, os.O_RDONLY | os.O_CLOEXEC)
        finalize(self, os.close, descriptor)
        return descriptor


def build_cache(
    folder: Path,
    root: Path,
    image_files: Sequence[str],
    *,
    image_size: tuple[int, int],
    workers: int = 1,
    progress: Progress | None = None,
) -> ImageCache:
    """The cache of these images: the one that is there and undamaged, or a new one.

    Two processes may ask for the same cache at once: one builds it, the other waits and uses it. A build that was
    killed goes on where it was.

    Args:
        folder: Where caches lie, each in a sub-folder; outside ``root``.
        root: The dataset's folder.
        image_files: Paths relative to ``root``; order and repetitions do not matter.
        image_size: Height and width in pixels.
        workers: Threads that decode.
        progress: Called with images done and images in all, while building.

    Raises:
        DataError: Image files are missing or damaged; names the first five and counts the rest.
        ArtefactError: The disk has too little room.
        StorageError: It is full, read-only or gone all the same.
    """
    files = sorted(set(map(str, image_files)))
    target = folder / _key(root, files, image_size)
    if (cache := _usable(target, workers)) is not None:
        return cache
    with locked(folder / f".{target.name}.lock", wait=True):
        if (cache := _usable(target, workers)) is not None:
            return cache
        shutil.rmtree(target, ignore_errors=True)
        part = target.with_name(f".{target.name}.part")
        try:
            with storage_errors(target):
                part.mkdir(parents=True, exist_ok=True)
                _refuse_full_disk(part, layout_of(np.uint8, len(files), image_size))
                written = write_images(part, ImageSource(root, files, image_size), workers=workers, progress=progress)
                facts = {
                    "version": CACHE_VERSION,
                    "pixels_version": _PIXELS_VERSION,
                    "image_size": list(image_size),
                    "sha256": written.sha256,
                    **facts_to_check(part, written.layout, written.checksums),
                    "image_files": files,
                }
                write_json(part / FACTS, facts)
                part.rename(target)
                sync_folder(folder)
        except (DataError, StorageError):
            # Of damaged files the replacements have another key; and a full disk is better off without it.
            shutil.rmtree(part, ignore_errors=True)
            raise
    return open_cache(target)


def open_cache(folder: Path) -> ImageCache:
    """Map the cache that lies in ``folder``; of the pixels no more than their number is checked.

    Raises:
        ArtefactError: It is missing, damaged or of another version.
    """
    facts = read_json(folder / FACTS)
    if facts.get("version") != CACHE_VERSION:
        raise ArtefactError(
            f"{folder}: image cache of version {facts.get('version')}, this release reads {CACHE_VERSION}"
        )
    files, sha256 = np.array(facts.get("image_files", []), dtype=np.str_), facts.get("sha256")
    path = folder / IMAGES
    try:
        images = np.load(path, mmap_mode="r")
        size = path.stat().st_size
    except NUMPY_DAMAGE as error:
        raise ArtefactError(f"{folder}: the image cache is damaged ({error}). Remove the folder") from error
    if not isinstance(sha256, str):
        raise ArtefactError(f"{folder}: the image cache is damaged: {FACTS} lacks its sha256. Remove the folder")
    expected = (len(files), *facts.get("image_size", []))
    if images.shape != expected or images.dtype not in (np.uint8, np.uint16) or size != images.offset + images.nbytes:
        raise ArtefactError(
            f"{folder}: the image cache is damaged: expected 8- or 16-bit images of shape {expected}, "
            f"got {images.dtype} of shape {images.shape} in a file of {size} bytes. Remove the folder"
        )
    return ImageCache(folder, files, images, sha256)


def _usable(folder: Path, workers: int) -> ImageCache | None:
    """The cache in ``folder``; None if there is none, or a damaged one."""
    try:
        cache = open_cache(folder)
        check_pixels(folder, cache.images, workers=workers)
    except ArtefactError:
        return None
    return cache


def _refuse_full_disk(part: Path, layout: Layout) -> None:
    there = sum(path.stat().st_size for path in part.iterdir())
    free, needed = shutil.disk_usage(part).free, layout.size - there
    if free < needed:
        raise ArtefactError(
            f"{part.parent}: the decoded images need {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} are free. "
            "Make room, or name another place by --cache DIR"
        )


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
    known = [CACHE_VERSION, _PIXELS_VERSION, image_size, facts, _samples(root, files)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:20]


def _samples(root: Path, files: Sequence[str]) -> str:
    """Of the contents of some files: two data sets out of archives can agree in all names, lengths and times."""
    digest = hashlib.sha256()
    for file in files[:: -(-len(files) // _SAMPLED_FILES)]:
        with suppress(OSError), (root / file).open("rb") as stream:  # decoding will name it
            digest.update(stream.read(_SAMPLED_BYTES))
    return digest.hexdigest()
