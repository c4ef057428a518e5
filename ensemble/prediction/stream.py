"""From images to the blend's probabilities and decisions, row by row, in the images' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import MemberStack
from ensemble.data.images import Pixels
from ensemble.evaluation.stored import StoredBlend
from ensemble.prediction.decoding import DecodedImage, decoded_images
from ensemble.prediction.images import ImageFile
from ensemble.prediction.models import MemberModels


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """Some images, readable ones and others.

    Attributes:
        rows: The places of the n readable ones in the list of images.
        probabilities: Of the blend, shape (n, C), float64.
        decisions: Shape (n, C), bool.
        unreadable: Place and problem of the others.
    """

    rows: tuple[int, ...]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]
    unreadable: tuple[tuple[int, str], ...]

    @property
    def images(self) -> int:
        """How many, readable or not."""
        return len(self.rows) + len(self.unreadable)


@dataclass(eq=False)
class _Feed:
    """What one member has still to look at, and what it has said that others have not said yet.

    A member gets batches of its own size, whatever others get: as when training predicted its test rows.
    """

    member: MemberModels
    waiting: list[Pixels] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    said: deque[NDArray[np.float32]] = field(default_factory=deque)

    def add(self, image: DecodedImage, name: str) -> None:
        self.waiting.append(image.pixels[self.member.preparation])
        self.names.append(name)
        if len(self.waiting) == self.member.batch_size:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            self.said.extend(self.member.logits(self.waiting, self.names))
            self.waiting, self.names = [], []

    def take(self, count: int) -> NDArray[np.float32]:
        return np.stack([self.said.popleft() for _ in range(count)])


def predict_stream(
    blend: StoredBlend, members: Sequence[MemberModels], files: Sequence[ImageFile], *, workers: int
) -> Iterator[PredictedRows]:
    """Predict all images, a few at a time.

    Args:
        blend: Combines and decides.
        members: Those of the blend, in its order.
        files: N images.
        workers: Threads that decode.

    Yields:
        Every image once, in order, readable ones and the others each.
    """
    feeds = [_Feed(member) for member in members]
    preparations = list(dict.fromkeys(member.preparation for member in members))
    rows: deque[int] = deque()
    unreadable: list[tuple[int, str]] = []
    for image in decoded_images(files, preparations, workers=workers):
        if image.problem:
            unreadable.append((image.row, image.problem))
            continue
        rows.append(image.row)
        for feed in feeds:
            feed.add(image, files[image.row].image_id)
        if ready := min(len(feed.said) for feed in feeds):
            yield _decided(blend, feeds, [rows.popleft() for _ in range(ready)], unreadable)
            unreadable = []
    for feed in feeds:
        feed.flush()
    yield _decided(blend, feeds, list(rows), unreadable)


def _decided(
    blend: StoredBlend, feeds: Sequence[_Feed], rows: Sequence[int], unreadable: Sequence[tuple[int, str]]
) -> PredictedRows:
    if not rows:
        empty = np.zeros((0, len(blend.class_names)))
        return PredictedRows((), empty, empty > 0, tuple(unreadable))
    stack = MemberStack(blend.members, np.stack([feed.take(len(rows)) for feed in feeds]))
    probabilities = blend.chain.probabilities(stack)
    return PredictedRows(tuple(rows), probabilities, blend.chain.decider(probabilities), tuple(unreadable))
