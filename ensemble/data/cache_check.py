"""Whether a cache's pixels are still those that were written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.data.cache_blocks import FACTS, IMAGES, Layout, checksum, layout_of, read_blocks
from ensemble.data.images import Pixels
from ensemble.errors import ArtefactError
from ensemble.files import read_json

_CHECKED_BYTES = 256 << 20  # read at each start, of a file that nobody seems to have touched: a tenth of a second


def facts_to_check(folder: Path, layout: Layout, checksums: Sequence[int]) -> dict[str, Any]:
    """What ``cache.json`` has to hold for ``check_pixels``; to be made when the file is finished."""
    return {
        "block_images": layout.block_images,
        "block_checksums": list(checksums),
        "written_state": _state(folder / IMAGES),
    }


def _state(path: Path) -> list[int]:
    """The file's size and time of change (ns): both stay as they are while nobody writes."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def check_pixels(folder: Path, images: Pixels, *, workers: int = 1) -> None:
    """Read blocks of pixels and hold them against their checksums.

    All blocks of a file of up to 256 MiB, and of one whose size or time of change is not what it was when it was
    written; else 256 MiB of it, evenly spread, the first and the last block always.

    Args:
        folder: Of the cache.
        images: Shape (N, H, W), as ``open_cache`` maps them.
        workers: Threads.

    Raises:
        ArtefactError: A block is not what was written.
    """
    facts = read_json(folder / FACTS)
    layout = layout_of(images.dtype, len(images), images.shape[1:])
    checksums: Any = facts.get("block_checksums")
    blocks = layout.blocks()
    complete = isinstance(checksums, list) and len(checksums) == len(blocks)
    if not complete or facts.get("block_images") != layout.block_images:
        raise _damaged(folder, range(len(images)))
    path = folder / IMAGES
    chosen = _chosen(layout, len(blocks), touched=_state(path) != facts.get("written_state"))

    def is_sound(number: int) -> bool:
        (content,) = read_blocks(path, layout, [blocks[number]])
        return bool(checksum(content) == checksums[number])

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for number, sound in zip(chosen, pool.map(is_sound, chosen), strict=True):
            if not sound:
                raise _damaged(folder, blocks[number])


def _chosen(layout: Layout, n_blocks: int, *, touched: bool) -> list[int]:
    """Which blocks to read."""
    affordable = max(2, _CHECKED_BYTES // (layout.block_images * layout.image_bytes))
    if touched or n_blocks <= affordable:
        return list(range(n_blocks))
    spread: Iterable[int] = np.unique(np.linspace(0, n_blocks - 1, affordable).round().astype(int)).tolist()
    return list(spread)


def _damaged(folder: Path, images: range) -> ArtefactError:
    return ArtefactError(
        f"{folder}: the image cache is damaged in images {images.start} to {images.stop - 1}. Remove the folder"
    )
