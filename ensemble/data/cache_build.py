"""Decoding a cache's images into a file, block by block, so that a build that was killed goes on where it was.

::

    <folder>/images.npy    the blocks that are done, in order
    <folder>/done.txt      the pixels' type, then a line for each of these blocks: its checksum

A block counts as done only if its bytes agree with its line: a crash between the two costs that block.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import numpy as np

from ensemble.data.cache_blocks import IMAGES, Layout, bytes_of, checksum, layout_of, read_blocks
from ensemble.data.decode import ImageSource, Progress, quiet_decoders, unusable_images
from ensemble.data.images import Pixels
from ensemble.errors import DataError

_DONE = "done.txt"
_TASK_IMAGES = 16  # decoded by one thread at a time
_BLOCKS_AHEAD = 2  # being decoded while one is written; bounds memory where the disk is slower than the threads


@dataclass(frozen=True)
class Written:
    """A finished ``images.npy``.

    Attributes:
        sha256: Hex digest of the whole file.
        checksums: Of each block.
    """

    layout: Layout
    sha256: str
    checksums: Sequence[int]


class _TooNarrowError(Exception):
    """An image of 16 bits, where those before it had 8."""


def write_images(folder: Path, source: ImageSource, *, workers: int, progress: Progress | None) -> Written:
    """Write the images, in the order of the files, as uint8, or as uint16 if any file has 16 bits.

    Args:
        folder: Empty, or what an earlier call for the same source left.
        source: What to decode.
        workers: Threads.
        progress: Called with images done and images in all, now and then.

    Raises:
        DataError: Some of the files cannot be decoded; names the first five and counts the rest.
    """
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        with quiet_decoders():
            try:
                return _write_as(_first_type(folder, source), folder, source, pool=pool, progress=progress)
            except _TooNarrowError:
                return _write_as(np.uint16, folder, source, pool=pool, progress=progress)
    finally:
        pool.shutdown(cancel_futures=True)


def _first_type(folder: Path, source: ImageSource) -> type[np.uint8 | np.uint16]:
    """What an earlier call had found out, else what the first file has."""
    done = folder / _DONE
    if done.exists() and done.read_text(encoding="ascii", errors="replace").startswith("uint16\n"):
        return np.uint16
    first = source.decode(source.files[0], np.uint8)
    return np.uint16 if isinstance(first, np.ndarray) and first.dtype == np.uint16 else np.uint8


def _write_as(
    dtype: type[np.uint8 | np.uint16],
    folder: Path,
    source: ImageSource,
    *,
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> Written:
    layout = layout_of(dtype, len(source.files), source.image_size)
    blocks = layout.blocks()
    problems: list[str] = []
    with _Target(folder, layout) as target:
        kept = len(target.checksums)
        for images, block in zip(blocks[kept:], _decoded(source, layout, blocks[kept:], pool), strict=True):
            problems += map(str, block.problems())
            if not problems:
                target.append(block.images)
            if progress is not None:
                progress(images.stop, layout.n_images)
        if problems:
            raise unusable_images(source.root, problems)
        return target.finish()


class _Block:
    """Images that threads decode into one array."""

    def __init__(self, source: ImageSource, layout: Layout, block: range, pool: ThreadPoolExecutor) -> None:
        self._source = source
        self._files = source.files[block.start : block.stop]
        self.images = np.zeros((len(block), *layout.image_size), layout.dtype)
        self._tasks: list[Future[list[DataError]]] = [
            pool.submit(self._fill, first) for first in range(0, len(block), _TASK_IMAGES)
        ]

    def problems(self) -> list[DataError]:
        """Waits for the images; what is wrong with some of them."""
        return [problem for task in self._tasks for problem in task.result()]

    def _fill(self, first: int) -> list[DataError]:
        problems = []
        for place, file in enumerate(self._files[first : first + _TASK_IMAGES], start=first):
            image = self._source.decode(file, self.images.dtype)
            if isinstance(image, DataError):
                problems.append(image)
            elif image.dtype != self.images.dtype:
                raise _TooNarrowError
            else:
                self.images[place] = image
        return problems


def _decoded(
    source: ImageSource, layout: Layout, blocks: Sequence[range], pool: ThreadPoolExecutor
) -> Iterator[_Block]:
    """The blocks in order; the next ones are being decoded while one is looked at."""
    ahead: deque[_Block] = deque()
    for block in blocks:
        ahead.append(_Block(source, layout, block, pool))
        if len(ahead) > _BLOCKS_AHEAD:
            yield ahead.popleft()
    yield from ahead


class _Target:
    """The two files of a build, open at the end of what is done."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._layout = layout
        self._hash = hashlib.sha256(layout.header)
        self._paths = folder / IMAGES, folder / _DONE
        self.checksums = self._verified()

    def _verified(self) -> list[int]:
        """The checksums of those blocks that are there as they were written."""
        images, done = self._paths
        if not (images.exists() and done.exists()):
            return []
        # What follows the last line end is torn.
        dtype, *lines = done.read_text(encoding="ascii", errors="replace").split("\n")[:-1] or [""]
        claimed = lines if dtype == self._layout.dtype.name else []
        kept = []
        for line, content in zip(claimed, read_blocks(images, self._layout, self._layout.blocks()), strict=False):
            if str(checksum(content)) != line:
                break
            self._hash.update(content)
            kept.append(int(line))
        return kept

    def __enter__(self) -> Self:
        """Cut both files to what is verified."""
        images, done = self._paths
        done.write_text("".join(f"{line}\n" for line in [self._layout.dtype.name, *self.checksums]), encoding="ascii")
        first = len(self.checksums) * self._layout.block_images
        size = len(self._layout.header) + min(first, self._layout.n_images) * self._layout.image_bytes
        # Without a buffer: what a full disk has refused would be tried once more, and fail again, when it is closed.
        self._images = images.open("r+b" if self.checksums else "w+b", buffering=0)
        try:
            self._write(memoryview(self._layout.header))
            self._images.truncate(size)
            self._images.seek(size)
            self._done: TextIO = done.open("a", encoding="ascii")
        except OSError:
            self._images.close()
            raise
        return self

    def _write(self, content: memoryview) -> None:
        """All of it: the system may take a part and refuse the rest only when it is asked again."""
        while content:
            content = content[self._images.write(content) :]

    def append(self, images: Pixels) -> None:
        """Written, not mapped: a full disk is then an error that can be read, and not the end of the process."""
        content = bytes_of(images)
        self._hash.update(content)
        self.checksums.append(checksum(content))
        self._write(content)
        self._done.write(f"{self.checksums[-1]}\n")
        self._done.flush()

    def finish(self) -> Written:
        os.fsync(self._images.fileno())
        self._done.close()
        self._paths[1].unlink()
        return Written(self._layout, self._hash.hexdigest(), self.checksums)

    def __exit__(self, *_error: object) -> None:
        self._images.close()
        self._done.close()
