"""Which rows come in which batch of an epoch, and what a worker is told of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ensemble.data.shares import Share
from ensemble.data.slots import Slots
from ensemble.seeds import derive_seed


class BatchKey(NamedTuple):
    """What a worker needs to know to make a batch.

    Attributes:
        epoch: From 0.
        positions: Of the whole batch.
        own: Those of them whose images this process computes.
        slot: Where to leave them, see ``slots``; -1: nowhere.
    """

    epoch: int
    positions: NDArray[np.int64]
    own: slice
    slot: int


class EpochOrder(Sampler[BatchKey]):
    """The batches of one epoch: shuffled by (seed, epoch), or in order where ``seed`` is None.

    Every row is in exactly one batch. A last batch of a single image joins the one before it while training: batch
    normalisation cannot work on it alone.

    Attributes:
        share: This process's of every batch. Order and batches are the same however many processes there are.
        slots: Where workers leave the images; None: torch sends them.
    """

    def __init__(self, n_rows: int, batch_size: int, *, seed: int | None) -> None:
        self._n_rows = n_rows
        self.batch_size = batch_size
        self._seed = seed
        self.epoch = 0
        self.first_batch = 0
        self.share = Share()
        self.slots: Slots | None = None

    def positions_of(self, epoch: int) -> list[NDArray[np.int64]]:
        """The rows of every batch of ``epoch``, in the order in which they come."""
        order = np.arange(self._n_rows, dtype=np.int64)
        if self._seed is not None:
            key = derive_seed(self._seed, "order", epoch)
            order = np.random.Generator(np.random.Philox(key=key)).permutation(order)
        cuts = list(range(self.batch_size, self._n_rows, self.batch_size))
        if self._seed is not None and cuts and self._n_rows - cuts[-1] == 1:
            cuts.pop()
        return np.split(order, cuts)

    def __iter__(self) -> Iterator[BatchKey]:
        """What workers are asked for; the next key is made when the next batch may be begun."""
        for positions in self.remaining():
            slot = -1 if self.slots is None else self.slots.take()
            yield BatchKey(self.epoch, positions, self.share.of(len(positions)).rows, slot)

    def remaining(self) -> list[NDArray[np.int64]]:
        """The rows of this epoch's batches, from the first one that is wanted."""
        return self.positions_of(self.epoch)[self.first_batch :]

    def __len__(self) -> int:
        return len(self.positions_of(0))
