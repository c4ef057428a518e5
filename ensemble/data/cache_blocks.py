"""The pixels of a cache as one ``.npy`` file in blocks of whole images, each block with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from ensemble.data.images import Pixels

IMAGES, FACTS = "images.npy", "cache.json"

_BLOCK_BYTES = 16 << 20  # bounds the memory of a build
_BLOCK_IMAGES = 256  # and so much work is lost by a kill


@dataclass(frozen=True)
class Layout:
    """How N images lie in the file.

    Attributes:
        dtype: uint8 or uint16.
        n_images: N.
        image_size: Height and width in pixels.
    """

    dtype: np.dtype[Any]
    n_images: int
    image_size: tuple[int, int]

    @property
    def image_bytes(self) -> int:
        """Of one image."""
        return self.image_size[0] * self.image_size[1] * self.dtype.itemsize

    @property
    def block_images(self) -> int:
        """Images in each block but the last, which may have fewer."""
        return max(1, min(_BLOCK_IMAGES, _BLOCK_BYTES // self.image_bytes))

    @property
    def header(self) -> bytes:
        """What stands before the first image."""
        stream = BytesIO()
        descr = npy.dtype_to_descr(self.dtype)
        shape = (self.n_images, *self.image_size)
        npy.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
        return stream.getvalue()

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + self.n_images * self.image_bytes

    def blocks(self) -> list[range]:
        """The images of each block."""
        step = self.block_images
        return [range(first, min(first + step, self.n_images)) for first in range(0, self.n_images, step)]


def layout_of(dtype: DTypeLike, n_images: int, image_size: Sequence[int]) -> Layout:
    """The layout of N images."""
    height, width = image_size
    return Layout(np.dtype(dtype), n_images, (height, width))


def read_blocks(path: Path, layout: Layout, blocks: Sequence[range]) -> Iterator[bytes]:
    """The bytes of some blocks; fewer than it should be where the file ends early."""
    with path.open("rb") as stream:
        for images in blocks:
            stream.seek(len(layout.header) + images.start * layout.image_bytes)
            yield stream.read(len(images) * layout.image_bytes)


def bytes_of(images: Pixels) -> memoryview:
    """The images' memory, byte by byte; nothing is copied.

    Args:
        images: Shape (n, H, W), C-contiguous.
    """
    return memoryview(images.view(np.uint8).reshape(-1).data)


def checksum(content: bytes | memoryview) -> int:
    """CRC-32: against accidents, not against forgery."""
    return zlib.crc32(content)
