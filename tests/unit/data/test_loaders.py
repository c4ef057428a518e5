"""A batch is a pure function of (seed, epoch, number): nothing about workers may change it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.multiprocessing

from ensemble.data.augment import build_augmentation
from ensemble.data.cache import build_cache
from ensemble.data.loaders import Batch, ImageRows, evaluation_loader, training_loader
from ensemble.data.order import EpochOrder
from ensemble.data.shares import Share
from ensemble.errors import ArtefactError
from ensemble.recipe import load_recipe

N = 23


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> ImageRows:
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    files = [f"{number:02}.png" for number in range(N)]
    for file in files:
        cv2.imwrite(str(root / file), rng.integers(0, 256, (16, 16), dtype=np.uint8))
    cache = build_cache(root / "cache", root, files, image_size=(16, 16), workers=1, progress=None)
    labels = rng.integers(0, 2, (N, 3)).astype(np.float32)
    return ImageRows(cache, cache.rows_of(np.array(files)), labels)


@pytest.fixture
def augment(tmp_path: Path):  # type: ignore[no-untyped-def]
    path = tmp_path / "r.yaml"
    path.write_text(
        "model: {name: cnn2}\naugment: [{HorizontalFlip: {p: 0.5}}, {Affine: {rotate: [-20, 20], p: 0.9}}]\n"
    )
    return load_recipe(path).augment


@pytest.fixture
def start_method(request: pytest.FixtureRequest) -> Iterator[str]:
    before = torch.multiprocessing.get_start_method()
    torch.multiprocessing.set_start_method(request.param, force=True)
    yield request.param
    torch.multiprocessing.set_start_method(before, force=True)


def epochs_of(rows: ImageRows, augment: object, *, workers: int, epochs: list[int]) -> list[list[Batch]]:
    augmentation = build_augmentation(augment, (16, 16))  # type: ignore[arg-type]
    loader = training_loader(rows, batch_size=5, seed=3, augmentation=augmentation, workers=workers, gpu=None)
    return [list(loader.epoch(epoch)) for epoch in epochs]


def assert_same(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        for left, right in zip(first, second, strict=True):
            assert torch.equal(left, right)


def test_processes_together_have_the_images_of_one_in_the_same_order(rows: ImageRows, augment: object) -> None:
    (alone,) = epochs_of(rows, augment, workers=0, epochs=[1])
    shares = []
    for rank in range(3):
        augmentation = build_augmentation(augment, (16, 16))  # type: ignore[arg-type]
        loader = training_loader(rows, batch_size=5, seed=3, augmentation=augmentation, workers=0, gpu=None)
        loader.order.share = Share(rank, 3)
        shares.append(list(loader.epoch(1)))
        assert len(loader) == len(alone)
    for whole, parts in zip(alone, zip(*shares, strict=True), strict=True):
        assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
        for part in parts:
            assert torch.equal(part.positions, whole.positions)
            assert torch.equal(part.labels, whole.labels)


@pytest.mark.parametrize("start_method", ["fork", "spawn"], indirect=True)
def test_workers_change_nothing(rows: ImageRows, augment: object, start_method: str) -> None:
    alone = epochs_of(rows, augment, workers=0, epochs=[0, 1])
    helped = epochs_of(rows, augment, workers=2, epochs=[0, 1])
    for one, other in zip(alone, helped, strict=True):
        assert_same(one, other)


def test_epochs_differ_and_can_be_made_in_any_order(rows: ImageRows, augment: object) -> None:
    first, second = epochs_of(rows, augment, workers=0, epochs=[0, 1])
    again_second, again_first = epochs_of(rows, augment, workers=0, epochs=[1, 0])
    assert_same(first, again_first)
    assert_same(second, again_second)
    assert not torch.equal(torch.cat([batch.positions for batch in first]), torch.cat([b.positions for b in second]))
    by_row = [
        dict(
            zip(torch.cat([b.positions for b in batches]).tolist(), torch.cat([b.images for b in batches]), strict=True)
        )
        for batches in (first, second)
    ]
    changed = sum(not torch.equal(by_row[0][row], by_row[1][row]) for row in range(N))
    assert changed > N // 2


def test_every_row_once_with_its_own_labels(rows: ImageRows, augment: object) -> None:
    (batches,) = epochs_of(rows, augment, workers=0, epochs=[4])
    positions = torch.cat([batch.positions for batch in batches])
    assert sorted(positions.tolist()) == list(range(N))
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.equal(labels, torch.from_numpy(rows.labels)[positions])


def test_evaluation_is_in_order_and_not_augmented(rows: ImageRows) -> None:
    batches = list(evaluation_loader(rows, batch_size=7, workers=0, gpu=None).epoch(0))
    images = torch.cat([batch.images for batch in batches])
    assert images.dtype == torch.uint8
    assert torch.equal(images[:, 0], torch.from_numpy(np.asarray(rows.cache.images)[rows.index]))


@pytest.mark.parametrize(("n", "sizes"), [(11, [5, 6]), (10, [5, 5]), (12, [5, 5, 2]), (1, [1]), (6, [6])])
def test_a_last_batch_of_one_joins_the_one_before(n: int, sizes: list[int]) -> None:
    order = EpochOrder(n, 5, seed=0)
    assert [len(positions) for positions in order.positions_of(0)] == sizes
    assert len(order) == len(sizes)


def test_evaluation_keeps_a_last_batch_of_one() -> None:
    assert [len(positions) for positions in EpochOrder(11, 5, seed=None).positions_of(0)] == [5, 5, 1]


def test_sixteen_bit_images_come_as_float(rows: ImageRows) -> None:
    cache = SimpleNamespace(gather=np.full((2, 4, 4), 65535, np.uint16).__getitem__)
    deep = ImageRows(cache, np.arange(2), rows.labels[:2])  # type: ignore[arg-type]
    (batch,) = evaluation_loader(deep, batch_size=2, workers=0, gpu=None).epoch(0)
    assert batch.images.dtype == torch.float32
    assert float(batch.images.max()) == 1.0


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_draws_nothing_from_the_global_random_state(rows: ImageRows, workers: int) -> None:
    loader = training_loader(rows, batch_size=5, seed=3, augmentation=None, workers=workers, gpu=None)
    before = torch.random.get_rng_state()
    for epoch in range(2):
        list(loader.epoch(epoch))
        assert torch.equal(torch.random.get_rng_state(), before)


def test_a_worker_leaves_ctrl_c_to_the_process_that_trains(rows: ImageRows) -> None:
    loader = training_loader(rows, batch_size=5, seed=3, augmentation=None, workers=1, gpu=None)
    batches = loader.epoch(0)
    next(batches)
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid or 0, signal.SIGINT)
    assert len(list(batches)) == len(loader) - 1
    assert len(list(loader.epoch(1))) == len(loader)


@dataclass(frozen=True)
class Refusing:
    """A cache of which the second half has gone."""

    def gather(self, index: np.ndarray) -> np.ndarray:
        if index.max() >= N // 2:
            raise ArtefactError("the image cache was cut short")
        return np.zeros((len(index), 4, 4), np.uint8)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_worker_refuses_is_said_without_its_traceback(rows: ImageRows, workers: int) -> None:
    refusing = ImageRows(Refusing(), np.arange(N), rows.labels)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError) as caught:
        list(evaluation_loader(refusing, batch_size=5, workers=workers, gpu=None).epoch(0))
    assert str(caught.value) == "the image cache was cut short"


def test_an_epoch_can_begin_at_any_batch(rows: ImageRows) -> None:
    loader = training_loader(rows, batch_size=5, seed=3, augmentation=None, workers=0, gpu=None)
    assert_same(list(loader.epoch(2))[3:], list(loader.epoch(2, first_batch=3)))
    assert_same(list(loader.epoch(2)), list(loader.epoch(2, first_batch=0)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's own check takes five seconds")
def test_a_worker_ends_with_the_process_that_trains(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    program = """
import multiprocessing, os, sys, signal
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from ensemble.data.cache import build_cache
from ensemble.data.loaders import ImageRows, training_loader
folder = Path(sys.argv[1])
cache = build_cache(folder / "cache", folder, ["a.png"], image_size=(8, 8))
rows = ImageRows(cache, np.zeros(64, np.int64), np.zeros((64, 2), np.float32))
batches = training_loader(rows, batch_size=2, seed=0, augmentation=None, workers=2, gpu=None).epoch(0)
next(batches)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    workers = [Path("/proc") / pid for pid in done.stdout.split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 5
    while any(map(_lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_lives, workers))


def _lives(process: Path) -> bool:
    """An orphan that has ended, but whom nobody has asked for its exit code, is still listed."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
