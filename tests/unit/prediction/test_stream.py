"""Images of both depths, and members with batches of different sizes: every row once, in order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.blending import WeightedMean, uniform_weights
from ensemble.data.cache import build_cache
from ensemble.evaluation import FittedChain
from ensemble.prediction import decoding
from ensemble.prediction.decoding import Preparation, decode
from ensemble.prediction.images import ImageFile
from ensemble.prediction.models import _as_batch
from ensemble.prediction.stream import predict_stream
from ensemble.thresholds import Decider

SIZE = (16, 16)


class FakeMember:
    """Says the mean grey value of an image, and notes how large its batches are."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.preparation = Preparation(SIZE, wide=False)
        self.batches: list[int] = []

    def logits(self, images: list[NDArray[Any]], image_ids: list[str]) -> NDArray[np.float32]:
        assert len(images) == len(image_ids)
        self.batches.append(len(images))
        return np.array([[image.mean() / 100 - 1.0, 0.0] for image in images], dtype=np.float32)


@pytest.fixture
def files(tmp_path: Path) -> list[ImageFile]:
    for number in range(23):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.full(SIZE, 10 * number, np.uint8))
    (tmp_path / "05.png").write_bytes(b"none")
    return [ImageFile(path.name, path) for path in sorted(tmp_path.iterdir())]


def test_each_member_gets_its_own_batches_and_every_row_comes_once(
    files: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_PIECE_IMAGES", 8)
    members = [FakeMember(4), FakeMember(7)]
    chain = FittedChain(WeightedMean("mean", uniform_weights(2)), Decider(np.array([0.5, 0.6])))
    blend: Any = SimpleNamespace(members=("a", "b"), class_names=("x", "y"), chain=chain)
    pieces = list(predict_stream(blend, members, files, workers=2))  # type: ignore[arg-type]
    rows = [row for piece in pieces for row in piece.rows]
    assert rows == [row for row in range(23) if row != 5]
    assert [row for piece in pieces for row, _ in piece.unreadable] == [5]
    assert sum(piece.images for piece in pieces) == 23
    assert max(len(piece.rows) for piece in pieces) <= 7
    assert members[0].batches == [4, 4, 4, 4, 4, 2]
    assert members[1].batches == [7, 7, 7, 1]
    decided = np.concatenate([piece.decisions for piece in pieces])
    assert decided[:, 0].tolist() == [10 * row >= 100 for row in rows]
    assert not decided[:, 1].any()


def test_where_training_saw_both_depths_an_image_is_prepared_as_its_cache_did(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), rng.integers(0, 256, (40, 30)).astype(np.uint8))
    cv2.imwrite(str(images / "b.png"), rng.integers(0, 65536, (40, 30)).astype(np.uint16))
    cache = build_cache(tmp_path / "cache", images, ["a.png", "b.png"], image_size=SIZE)
    wide, narrow = Preparation(SIZE, wide=True), Preparation(SIZE, wide=False)
    found = [decode(ImageFile(name, images / name), 0, [wide, narrow]) for name in ("a.png", "b.png")]
    for image, expected in zip(found, cache.images, strict=True):
        np.testing.assert_array_equal(image.pixels[wide], expected)
    assert found[0].pixels[narrow].dtype == np.uint8
    mixed = _as_batch([image.pixels[narrow] for image in found])
    assert (mixed.shape, str(mixed.dtype)) == ((2, 1, *SIZE), "torch.float32")
    np.testing.assert_allclose(mixed[0, 0].numpy(), found[0].pixels[narrow] / 255, rtol=1e-6)
