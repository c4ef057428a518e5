"""Batches of images from the cache.

A batch is a pure function of (seed, epoch, its number): the order of an epoch and the augmentation of each sample are
computed from those alone. So the number of workers, how they start, and a restart cannot change what is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ensemble.data.cache import ImageCache
from ensemble.data.order import BatchKey, EpochOrder
from ensemble.data.slots import InSlot, put, slots_for
from ensemble.data.worker import start_worker, watched_workers
from ensemble.errors import EnsembleError, first_few

if TYPE_CHECKING:
    from ensemble.data.augment import Augmentation

_NAMED_IMAGES = 64  # in a message; one of them is the culprit
_AHEAD_OF_EACH_WORKER = 2  # batches, torch's own default

Made = torch.Tensor | InSlot | EnsembleError
"""The images of a batch as they come from whoever made them, or why there are none."""


class Batch(NamedTuple):
    """B images on the CPU. Of several processes that train together, each has the images of its share alone.

    Attributes:
        images: Shape (B, 1, H, W): uint8 in 0..255, or float32 in [0, 1] where the files have 16 bits. B is that of
            the share. Through workers to a GPU, they are valid until the next batch is asked for.
        labels: Shape (B, C), float32: 0, 1, or NaN for "not labelled". B is that of the whole batch, as below.
        positions: Shape (B,), int64: which of the loader's rows these are.
    """

    images: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor


@dataclass(frozen=True, eq=False)
class ImageRows:
    """N rows to load.

    Attributes:
        cache: Decoded images.
        index: Shape (N,), int64: each row's place in ``cache``.
        labels: Shape (N, C), float32 with NaN for "not labelled".
        image_ids: Shape (N,), for messages; None: their files' names are used.
    """

    cache: ImageCache
    index: NDArray[np.int64]
    labels: NDArray[np.float32]
    image_ids: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def subset(self, positions: NDArray[np.int64] | NDArray[np.bool_]) -> ImageRows:
        """The chosen rows, in the order of ``positions``."""
        image_ids = None if self.image_ids is None else self.image_ids[positions]
        return ImageRows(self.cache, self.index[positions], self.labels[positions], image_ids)


class _Batches(Dataset[Made]):
    """The images of batches; ``memory`` is that of slots, if there are any."""

    def __init__(self, rows: ImageRows, augmentation: Augmentation | None, seed: int) -> None:
        self._rows = rows
        self._augmentation = augmentation
        self._seed = seed
        self.memory: torch.Tensor | None = None

    def __getitem__(self, key: BatchKey) -> Made:
        """The images; or what is wrong: a raised error torch would send on with a worker's traceback in its text."""
        try:
            return put(self._images(key)[:, None], self.memory, key.slot)
        except EnsembleError as error:
            return error

    def _images(self, key: BatchKey) -> NDArray[np.uint8] | NDArray[np.float32]:
        index = self._rows.index[key.positions[key.own]]
        images = as_network_input(self._rows.cache.gather(index))
        if self._augmentation is None:
            return images
        return self._augmentation.batch(images, (self._seed, key.epoch), index.tolist())


def as_network_input(images: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.float32]:
    """8-bit images as they are; 16-bit ones as float32 in [0, 1], which all transforms can work on."""
    if images.dtype == np.uint16:
        return images.astype(np.float32) / np.float32(65535)
    return images.astype(np.uint8, copy=False)


@dataclass(frozen=True, eq=False)
class BatchLoader:
    """An epoch's batches, through worker processes where asked for."""

    rows: ImageRows
    order: EpochOrder
    loader: DataLoader[Made]

    def __len__(self) -> int:
        return len(self.order)

    def epoch(self, epoch: int, *, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch``, from the one with number ``first_batch`` on.

        Raises:
            EnsembleError: What a batch's maker raised, in whichever process.
            WorkerDied: A worker process was killed.
        """
        self.order.epoch, self.order.first_batch = epoch, first_batch
        if (slots := self.order.slots) is not None:
            slots.renew()
        with watched_workers(self.loader) as batches:
            if slots is not None:
                slots.lock_pages()
            for positions, made in zip(self.order.remaining(), batches, strict=True):
                if isinstance(made, EnsembleError):
                    raise made
                if isinstance(made, torch.Tensor):
                    yield self._batch(made, positions)
                elif slots is not None:
                    yield self._batch(slots.images(made), positions)
                    slots.release(made.slot)

    def _batch(self, images: torch.Tensor, positions: NDArray[np.int64]) -> Batch:
        return Batch(images, torch.from_numpy(self.rows.labels[positions]), torch.from_numpy(positions))

    def names_of(self, epoch: int, batch: int) -> str:
        """The ids of one batch's images, for messages; of very large batches only the first."""
        rows = self.rows
        names = rows.cache.image_files[rows.index] if rows.image_ids is None else rows.image_ids
        return first_few(names[self.order.positions_of(epoch)[batch]], limit=_NAMED_IMAGES)


def training_loader(
    rows: ImageRows,
    *,
    batch_size: int,
    seed: int,
    augmentation: Augmentation | None,
    workers: int,
    gpu: torch.device | None,
) -> BatchLoader:
    """Shuffled, augmented batches.

    Args:
        rows: What to train on.
        batch_size: Images a batch.
        seed: Of the order and the augmentation.
        augmentation: None for none.
        workers: Worker processes; 0 makes the batches in this process.
        gpu: Where they are copied to: they lie in page-locked memory, for asynchronous copies. None: not to a GPU.
    """
    order = EpochOrder(len(rows), batch_size, seed=seed)
    return _loader(rows, order, _Batches(rows, augmentation, seed), workers=workers, gpu=gpu)


def evaluation_loader(rows: ImageRows, *, batch_size: int, workers: int, gpu: torch.device | None) -> BatchLoader:
    """Batches in order, not augmented."""
    order = EpochOrder(len(rows), batch_size, seed=None)
    return _loader(rows, order, _Batches(rows, None, 0), workers=workers, gpu=gpu)


def _loader(
    rows: ImageRows, order: EpochOrder, batches: _Batches, *, workers: int, gpu: torch.device | None
) -> BatchLoader:
    if workers > 0 and len(rows) > 0:
        example = as_network_input(rows.cache.gather(rows.index[:1]))
        waiting = min(workers * _AHEAD_OF_EACH_WORKER, len(order))
        order.slots = slots_for(example, min(order.batch_size, len(rows)), waiting=waiting, gpu=gpu)
        batches.memory = None if order.slots is None else order.slots.memory
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        prefetch_factor=_AHEAD_OF_EACH_WORKER if workers > 0 else None,
        # With workers torch would pin in a thread, and a call of CUDA there would spoil a recording (``graphed``).
        pin_memory=gpu is not None and workers == 0,
        persistent_workers=workers > 0,
        worker_init_fn=start_worker if workers > 0 else None,
        # Else it draws from the global one, how often depends on the workers, and so would every dropout mask.
        generator=torch.Generator(),
    )
    return BatchLoader(rows, order, loader)
