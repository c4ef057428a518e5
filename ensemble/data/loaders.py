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
from torch.utils.data import DataLoader, Dataset, Sampler

from ensemble.data.cache import ImageCache
from ensemble.data.shares import Share
from ensemble.data.worker import start_worker, watched_workers
from ensemble.errors import EnsembleError, first_few
from ensemble.seeds import derive_seed

if TYPE_CHECKING:
    from ensemble.data.augment import Augmentation

_NAMED_IMAGES = 64  # in a message; one of them is the culprit


class Batch(NamedTuple):
    """B images on the CPU. Of several processes that train together, each has the images of its share alone.

    Attributes:
        images: Shape (B, 1, H, W): uint8 in 0..255, or float32 in [0, 1] where the files have 16 bits. B is that of
            the share.
        labels: Shape (B, C), float32: 0, 1, or NaN for "not labelled". B is that of the whole batch, as below.
        positions: Shape (B,), int64: which of the loader's rows these are.
    """

    images: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor


class BatchKey(NamedTuple):
    """What a worker needs to know to make a batch.

    Attributes:
        epoch: From 0.
        positions: Of the whole batch.
        own: Those of them whose images this process computes.
    """

    epoch: int
    positions: NDArray[np.int64]
    own: slice


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


class _Batches(Dataset[Batch | EnsembleError]):
    def __init__(self, rows: ImageRows, augmentation: Augmentation | None, seed: int) -> None:
        self._rows = rows
        self._augmentation = augmentation
        self._seed = seed

    def __getitem__(self, key: BatchKey) -> Batch | EnsembleError:
        """The batch; or what is wrong, for torch would send a raised error on with a worker's traceback in its text."""
        try:
            return self._batch(key)
        except EnsembleError as error:
            return error

    def _batch(self, key: BatchKey) -> Batch:
        index = self._rows.index[key.positions[key.own]]
        images = as_network_input(self._rows.cache.gather(index))
        if self._augmentation is not None:
            images = self._augmentation.batch(images, (self._seed, key.epoch), index.tolist())
        return Batch(
            torch.from_numpy(images).unsqueeze(1),
            torch.from_numpy(self._rows.labels[key.positions]),
            torch.from_numpy(key.positions),
        )


def as_network_input(images: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.float32]:
    """8-bit images as they are; 16-bit ones as float32 in [0, 1], which all transforms can work on."""
    if images.dtype == np.uint16:
        return images.astype(np.float32) / np.float32(65535)
    return images.astype(np.uint8, copy=False)


class EpochOrder(Sampler[BatchKey]):
    """The batches of one epoch: shuffled by (seed, epoch), or in order where ``seed`` is None.

    Every row is in exactly one batch. A last batch of a single image joins the one before it while training: batch
    normalisation cannot work on it alone.

    Attributes:
        share: This process's of every batch. Order and batches are the same however many processes there are.
    """

    def __init__(self, n_rows: int, batch_size: int, *, seed: int | None) -> None:
        self._n_rows = n_rows
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0
        self.first_batch = 0
        self.share = Share()

    def positions_of(self, epoch: int) -> list[NDArray[np.int64]]:
        """The rows of every batch of ``epoch``, in the order in which they come."""
        order = np.arange(self._n_rows, dtype=np.int64)
        if self._seed is not None:
            key = derive_seed(self._seed, "order", epoch)
            order = np.random.Generator(np.random.Philox(key=key)).permutation(order)
        cuts = list(range(self._batch_size, self._n_rows, self._batch_size))
        if self._seed is not None and cuts and self._n_rows - cuts[-1] == 1:
            cuts.pop()
        return np.split(order, cuts)

    def __iter__(self) -> Iterator[BatchKey]:
        return (
            BatchKey(self.epoch, positions, self.share.of(len(positions)).rows)
            for positions in self.positions_of(self.epoch)[self.first_batch :]
        )

    def __len__(self) -> int:
        return len(self.positions_of(0))


@dataclass(frozen=True, eq=False)
class BatchLoader:
    """An epoch's batches, through worker processes where asked for."""

    rows: ImageRows
    order: EpochOrder
    loader: DataLoader[Batch | EnsembleError]

    def __len__(self) -> int:
        return len(self.order)

    def epoch(self, epoch: int, *, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch``, from the one with number ``first_batch`` on.

        Raises:
            EnsembleError: What a batch's maker raised, in whichever process.
            WorkerDied: A worker process was killed.
        """
        self.order.epoch, self.order.first_batch = epoch, first_batch
        with watched_workers(self.loader) as batches:
            for made in batches:
                if isinstance(made, EnsembleError):
                    raise made
                yield made

    def names_of(self, epoch: int, batch: int) -> str:
        """The ids of one batch's images, for messages; of very large batches only the first."""
        rows = self.rows
        names = rows.cache.image_files[rows.index] if rows.image_ids is None else rows.image_ids
        return first_few(names[self.order.positions_of(epoch)[batch]], limit=_NAMED_IMAGES)


def training_loader(
    rows: ImageRows, *, batch_size: int, seed: int, augmentation: Augmentation | None, workers: int, pin: bool
) -> BatchLoader:
    """Shuffled, augmented batches.

    Args:
        rows: What to train on.
        batch_size: Images a batch.
        seed: Of the order and the augmentation.
        augmentation: None for none.
        workers: Worker processes; 0 makes the batches in this process.
        pin: Page-locked memory, for asynchronous copies to a CUDA device.
    """
    order = EpochOrder(len(rows), batch_size, seed=seed)
    return BatchLoader(rows, order, _loader(_Batches(rows, augmentation, seed), order, workers=workers, pin=pin))


def evaluation_loader(rows: ImageRows, *, batch_size: int, workers: int, pin: bool) -> BatchLoader:
    """Batches in order, not augmented."""
    order = EpochOrder(len(rows), batch_size, seed=None)
    return BatchLoader(rows, order, _loader(_Batches(rows, None, 0), order, workers=workers, pin=pin))


def _loader(batches: _Batches, order: EpochOrder, *, workers: int, pin: bool) -> DataLoader[Batch | EnsembleError]:
    return DataLoader(
        batches,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=start_worker if workers > 0 else None,
        # Else it draws from the global one, how often depends on the workers, and so would every dropout mask.
        generator=torch.Generator(),
    )
