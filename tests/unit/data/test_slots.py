"""Batches go through shared memory: what comes out is what went in, and no slot is filled before it was read."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ensemble.data import slots as slots_module
from ensemble.data.loaders import ImageRows, training_loader
from ensemble.data.slots import AHEAD, InSlot, Slots, put, slots_for

N, SIZE = 41, 6


@pytest.fixture
def rows() -> ImageRows:
    images = np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE), dtype=np.uint8)
    cache = SimpleNamespace(gather=images.__getitem__)
    return ImageRows(cache, np.arange(N), np.zeros((N, 2), np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_comes_out_is_what_went_in(dtype: type[np.generic]) -> None:
    slots = Slots(2, 1024, None)
    images = np.random.default_rng(0).random((3, 1, 4, 5)).astype(dtype)
    made = put(images, slots.memory, slots.take())
    assert isinstance(made, InSlot)
    found = slots.images(made)
    put(np.zeros_like(images), slots.memory, made.slot)
    np.testing.assert_array_equal(found.numpy(), images)  # without a GPU it is a copy


def test_what_does_not_fit_is_sent_as_torch_sends_it() -> None:
    images = np.ones((2, 1, 4, 4), np.uint8)
    slots = Slots(1, 16, None)
    for memory, slot in ((None, -1), (slots.memory, -1), (slots.memory, 0)):
        made = put(images, memory, slot)
        assert isinstance(made, torch.Tensor)
        np.testing.assert_array_equal(made.numpy(), images)


def test_slots_are_taken_once_until_they_are_released() -> None:
    slots = Slots(2, 8, None)
    assert [slots.take() for _ in range(3)] == [0, 1, -1]
    slots.release(1)
    assert slots.take() == 1
    slots.renew()
    assert [slots.take() for _ in range(3)] == [0, 1, -1]


def test_there_is_room_for_a_batch_of_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((1, 10, 10), np.float32)
    slots = slots_for(images, 7, waiting=4, gpu=None)
    assert slots is not None
    assert slots.memory.shape[0] == 4 + AHEAD
    assert slots.memory.shape[1] >= 8 * 400
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    monkeypatch.setattr(slots_module, "_SHARED_MEMORY", SimpleNamespace(is_dir=lambda: True))
    assert slots_for(images, 7, waiting=4, gpu=None) is None


def test_more_batches_than_slots_arrive_whole_and_in_order(rows: ImageRows) -> None:
    loaders = [
        training_loader(rows, batch_size=2, seed=0, augmentation=None, workers=workers, gpu=None) for workers in (0, 2)
    ]
    assert loaders[1].order.slots is not None
    assert len(loaders[1]) > len(loaders[1].order.slots.memory)
    for epoch in range(2):
        alone, helped = (list(loader.epoch(epoch)) for loader in loaders)
        for one, other in zip(alone, helped, strict=True):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.positions, other.positions)


def test_an_epoch_that_was_left_half_way_leaves_no_slot_taken(rows: ImageRows) -> None:
    alone, helped = (
        training_loader(rows, batch_size=2, seed=0, augmentation=None, workers=workers, gpu=None) for workers in (0, 2)
    )
    for _ in range(3):
        half = helped.epoch(0)
        next(half)
        half.close()
    for one, other in zip(alone.epoch(1), helped.epoch(1), strict=True):
        assert torch.equal(one.images, other.images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_every_batch_whole_however_far_the_host_is_ahead() -> None:
    gpu = torch.device("cuda")
    images = np.random.default_rng(0).integers(0, 256, (512, 128, 128), dtype=np.uint8)
    cache = SimpleNamespace(gather=images.__getitem__)
    rows = ImageRows(cache, np.arange(len(images)), np.zeros((len(images), 2), np.float32))  # type: ignore[arg-type]
    loader = training_loader(rows, batch_size=8, seed=0, augmentation=None, workers=2, gpu=gpu)
    work = torch.randn(4096, 4096, device=gpu)
    for epoch in range(2):
        on_gpu = []
        for batch in loader.epoch(epoch):
            for _ in range(3):  # the GPU is busy, and copies late
                work = torch.tanh(work @ work)
            on_gpu.append(batch.images.to(gpu, non_blocking=True))
        found, order = torch.cat(on_gpu).cpu(), np.concatenate(loader.order.positions_of(epoch))
        assert torch.equal(found[:, 0], torch.from_numpy(images[order]))
