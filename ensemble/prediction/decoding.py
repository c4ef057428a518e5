"""Decoding images a few at a time, on several threads, ahead of the networks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ensemble.data.decode import quiet_decoders
from ensemble.data.images import Pixels, preprocess, read_grey, sixteen_bit
from ensemble.errors import DataError
from ensemble.prediction.images import ImageFile

_PIECE_BYTES = 16 << 20  # of pixels; two pieces are held
_PIECE_IMAGES = 256


@dataclass(frozen=True)
class Preparation:
    """What a member wants of an image.

    Attributes:
        image_size: Height and width, in pixels.
        wide: Whether 8-bit images become 16-bit ones before they are resized, as where it was trained with both.
    """

    image_size: tuple[int, int]
    wide: bool


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One image for all members.

    Attributes:
        row: Its place in the list.
        pixels: By preparation; empty where there is a problem.
        problem: Why it cannot be read, in words.
    """

    row: int
    pixels: Mapping[Preparation, Pixels]
    problem: str = ""


def decode(file: ImageFile, row: int, preparations: Sequence[Preparation]) -> DecodedImage:
    """Read one file and prepare it for all members; a file that cannot be read is a problem, not an error."""
    if file.path is None:
        return DecodedImage(row, {}, file.problem)
    try:
        image = read_grey(file.path)
    except DataError as error:
        return DecodedImage(row, {}, str(error))
    wide = sixteen_bit(image) if any(one.wide for one in preparations) else image
    return DecodedImage(row, {one: preprocess(wide if one.wide else image, one.image_size) for one in preparations})


def decoded_images(
    files: Sequence[ImageFile], preparations: Sequence[Preparation], *, workers: int
) -> Iterator[DecodedImage]:
    """All images in order. Memory does not grow with their number: two small pieces are held at a time.

    Args:
        files: N.
        preparations: What members want.
        workers: Threads.
    """
    step = _piece_images(preparations)
    pool = ThreadPoolExecutor(max(1, workers))
    ahead: deque[list[Future[DecodedImage]]] = deque()
    try:
        with quiet_decoders():
            for first in range(0, len(files), step):
                piece = enumerate(files[first : first + step], start=first)
                ahead.append([pool.submit(decode, file, row, preparations) for row, file in piece])
                if len(ahead) > 1:
                    yield from _results(ahead.popleft())
            while ahead:
                yield from _results(ahead.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _results(futures: list[Future[DecodedImage]]) -> Iterator[DecodedImage]:
    """Forgotten one by one, so that nothing is held that was used already."""
    futures.reverse()
    while futures:
        yield futures.pop().result()


def _piece_images(preparations: Sequence[Preparation]) -> int:
    size = sum(one.image_size[0] * one.image_size[1] * (2 if one.wide else 1) for one in preparations)
    return max(8, min(_PIECE_IMAGES, _PIECE_BYTES // size))
