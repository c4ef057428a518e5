"""How a project is divided over what there is: threads of each training, and how many run at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.errors import EngineError, many
from ensemble.scheduling.ray_cluster import Node, room_on
from ensemble.scheduling.split import (
    Slot,
    cpu_slots,
    free_memory,
    gpu_slots,
    machine_memory,
    stored_threads,
    threads_of_a_training,
)
from ensemble.training.precision import usable_cores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Room:
    """What each training gets, and how many there is room for.

    Attributes:
        threads: Of each training on a CPU, or where several share a GPU; None for one on each GPU.
        slots: As many are started, or handed to the engine, at once.
        at_once: As many may really run side by side at the start.
        device: What each training is told to run on.
    """

    threads: int | None
    slots: list[Slot]
    at_once: int
    device: str

    def each(self) -> str:
        """What each training gets, in words."""
        if 0 < (gpus := len(_gpus_of(self.slots))) < len(self.slots):
            return f"sharing {many(gpus, 'GPU')}"
        return "a GPU each" if self.threads is None else f"{many(self.threads, 'thread')} each"


@dataclass(frozen=True)
class Wish:
    """What the user and the machine say.

    Attributes:
        device: As it was given: ``auto``, ``cpu``, …
        here: The device that this machine has for it.
        threads: As given.
        most: Trainings side by side, as given.
        schedule: The file that keeps the threads.
        write: Whether that file may be written.
    """

    device: str
    here: torch.device
    threads: int | None
    most: int | None
    schedule: Path
    write: bool = True

    def threads_for(self, cores: int, memory_bytes: int | None = None) -> int:
        """Those given, or those stored, or what follows from one machine."""
        threads = threads_of_a_training(cores, memory_bytes)
        keep = self.write or self.schedule.exists()
        return self.threads or (stored_threads(self.schedule, threads) if keep else threads)


def room_here(wish: Wish) -> Room:
    """On this machine: GPUs that may be seen, or the cores of the processor."""
    if str(wish.here) == "cuda":  # and not a certain one
        slots = gpu_slots(_visible_gpus(), most=wish.most)
        shared = len(slots) > len(_gpus_of(slots))
        threads = (wish.threads or max(1, usable_cores() // len(slots))) if shared else None
        return Room(threads, slots, len(slots), "cuda")  # and not auto: a GPU that drops out is an error, not a CPU
    if wish.here.type != "cpu":
        return Room(None, [Slot()], 1, wish.device)
    cores = usable_cores()
    threads = wish.threads_for(cores, machine_memory())
    slots = cpu_slots(cores, threads, free_bytes=free_memory(), most=wish.most)
    slots = [Slot(cpus=threads)] * len(slots)
    return Room(threads, slots, len(slots), wish.device)


def room_of_ray_here(wish: Wish) -> Room:
    """The same on an instance of Ray's own on this machine, which hands out cores and GPUs itself."""
    room = room_here(wish)
    if not (gpus := len(_gpus_of(room.slots))):
        return replace(room, slots=[Slot(cpus=room.threads or wish.threads or 1)] * len(room.slots))
    return Room(None, [Slot(cpus=wish.threads or 1, gpus=1)] * gpus, gpus, "cuda")


def _gpus_of(slots: Sequence[Slot]) -> set[str]:
    """As CUDA_VISIBLE_DEVICES names them, where it is we who divide them."""
    return {gpu for slot in slots for gpu in slot.environment.values()}


def room_of_ray(wish: Wish, nodes: list[Node], *, trainings: int) -> Room:
    """On a Ray cluster: a GPU for each training where any node has one, unless the CPU is asked for.

    Args:
        wish: What is asked for.
        nodes: Of the cluster.
        trainings: How many there are: without a limit of the user's all are handed to Ray, so that nodes that
            join later get some, too.

    Raises:
        EngineError: A certain GPU is asked for, or no node has room.
    """
    if wish.device not in ("auto", "cpu", "cuda"):
        raise EngineError(f"--device {wish.device}: with --engine ray expected auto, cpu or cuda: Ray chooses which")
    on_gpu = wish.device == "cuda" or (wish.device == "auto" and any(node.gpus for node in nodes))
    threads = None if on_gpu else wish.threads_for(min((node.cpus for node in nodes if node.cpus), default=1))
    cpus, gpus = threads or wish.threads or 1, int(on_gpu)
    most = trainings if wish.most is None else wish.most
    slots = [Slot(cpus=cpus, gpus=gpus)] * max(1, most)
    return Room(threads, slots, min(room_on(nodes, cpus=cpus, gpus=gpus), len(slots)), "cuda" if on_gpu else "cpu")


def _visible_gpus() -> list[str]:
    import torch  # noqa: PLC0415 - a dry run on a CPU needs it not

    named, count = os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count()
    if not named:
        return [str(number) for number in range(count)]
    entries = [entry.strip() for entry in named.split(",")]
    # CUDA ends the list at the first entry that it does not know, and shows a process one part (MIG) of a GPU at most.
    return entries if entries[0].startswith("MIG-") else entries[:count]
