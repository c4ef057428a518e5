"""Shared memory in which worker processes leave the images of a batch, and from which a GPU copies them itself.

torch's own way makes a file in memory for every batch, maps it in both processes, has the system fill it in page by
page, and copies it once more into page-locked memory, in a thread that holds Python's lock while the step wants it.
For small networks on a fast GPU that took as long as the step (docs/performance.md). Here the memory is made once.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from weakref import finalize

import numpy as np
import torch
from numpy.typing import NDArray

AHEAD = 4
"""Batches that the host may be ahead of the GPU."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's; containers often give it 64 MB
_ALIGNMENT = 64
_PORTABLE = 1  # cudaHostRegisterPortable


class InSlot(NamedTuple):
    """What a worker sends in place of a batch's images.

    Attributes:
        slot: Where they lie.
        shape: Of the images.
        dtype: As numpy spells it.
    """

    slot: int
    shape: tuple[int, ...]
    dtype: str


class Slots:
    """Room for the images of some batches.

    A slot is taken when a worker is asked for a batch, and free again when the GPU has copied it.

    Attributes:
        memory: Shape (slots, bytes), uint8, shared: what workers get.
    """

    def __init__(self, count: int, size: int, gpu: torch.device | None) -> None:
        """All are free.

        Args:
            count: Slots.
            size: Bytes of each.
            gpu: Which one copies from them; None: the images are copied here when they are handed out.
        """
        self.memory = torch.empty((count, size), dtype=torch.uint8)
        self.memory.share_memory_()  # type: ignore[no-untyped-call]
        self._gpu = gpu
        self._copied: list[torch.cuda.Event] = []
        self._free = deque(range(count))
        self._locked = gpu is None  # nothing to lock

    def renew(self) -> None:
        """Free all slots, once workers put nothing more into them. An epoch may have ended anywhere."""
        self._free.clear()
        for slot in range(len(self.memory)):
            self.release(slot)

    def lock_pages(self) -> None:
        """Let the GPU read this memory directly. To be called when the workers run, for they must not inherit that.

        Where the system allows no more locked memory, copies are slower, and right.
        """
        if self._locked:
            return
        self._locked = True
        address, size = self.memory.data_ptr(), self.memory.numel()
        with torch.cuda.device(self._gpu):  # on another one CUDA would make itself at home
            runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
            refused = int(runtime.cudaHostRegister(address, size, _PORTABLE))
        if not refused:
            finalize(self, _unlock, self.memory, os.getpid(), self._gpu)
            return
        with suppress(RuntimeError):  # CUDA would tell the next kernel of that refusal
            torch.zeros(1, device=self._gpu)

    def take(self) -> int:
        """A slot that nobody reads any more, -1 if there is none: the batch is then sent as torch sends it."""
        if not self._free:
            return -1
        slot = self._free.popleft()
        if self._copied:
            self._copied[slot].synchronize()
        return slot

    def images(self, made: InSlot) -> torch.Tensor:
        """The images; for a GPU they stay where they are, and are right until the slot is released."""
        dtype = np.dtype(made.dtype)
        size = int(np.prod(made.shape)) * dtype.itemsize
        images = torch.from_numpy(self.memory[made.slot].numpy()[:size].view(dtype).reshape(made.shape))
        return images.clone() if self._gpu is None else images

    def release(self, slot: int) -> None:
        """To be called when the copy to the GPU was asked for."""
        if self._gpu is not None:
            if not self._copied:
                new: Callable[..., torch.cuda.Event] = torch.cuda.Event
                self._copied = [new(blocking=True) for _ in range(len(self.memory))]
            self._copied[slot].record(torch.cuda.current_stream(self._gpu))
        self._free.append(slot)


def _unlock(memory: torch.Tensor, owner: int, gpu: torch.device | None) -> None:
    """The argument keeps the memory until then. A worker of another loader may have inherited all this."""
    if os.getpid() == owner:
        with torch.cuda.device(gpu):
            torch.cuda.cudart().cudaHostUnregister(memory.data_ptr())  # type: ignore[no-untyped-call]


def put(
    images: NDArray[np.uint8] | NDArray[np.float32], memory: torch.Tensor | None, slot: int
) -> InSlot | torch.Tensor:
    """In a worker: leave the images in a slot; or give them to torch, if there is none, or it is too small."""
    if memory is None or slot < 0 or images.nbytes > memory.shape[1]:
        return torch.from_numpy(images)
    memory[slot].numpy()[: images.nbytes] = np.ascontiguousarray(images).reshape(-1).view(np.uint8)
    return InSlot(slot, images.shape, images.dtype.str)


def slots_for(batch: NDArray[np.generic], batch_size: int, *, waiting: int, gpu: torch.device | None) -> Slots | None:
    """Slots for the batches of a loader; None if the machine has no room for them.

    Args:
        batch: Shape (n, …): some images as they will come.
        batch_size: Images of a batch; a last one may have one more.
        waiting: Batches that workers may have been asked for.
        gpu: See ``Slots``.
    """
    size = -(-batch[:1].nbytes * (batch_size + 1) // _ALIGNMENT) * _ALIGNMENT
    count = waiting + AHEAD
    if _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free < count * size:
        return None
    return Slots(count, size, gpu)
