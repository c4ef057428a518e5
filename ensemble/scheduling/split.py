"""How a machine is split: how many trainings at once, and what each of them gets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from ensemble.errors import ArtefactError
from ensemble.files import read_json, write_json
from ensemble.versions import check_version

_SCHEDULE_VERSION = 1
# Several trainings waste less of the cores than one that has them all: two on a core each are 1.1 to 1.6 times as fast
# as one after the other on both (docs/running.md). Beyond four, each gets four cores or more: memory is shared, too.
_AT_ONCE = 4
_CORES_A_TRAINING = 4
# What one training may need; of small networks much less.
_BYTES_A_TRAINING = 4 * 2**30


@dataclass(frozen=True)
class Slot:
    """Room for one training.

    Attributes:
        environment: What its process gets beside ours: which GPU it may see.
        cpus: What an engine is to reserve for it.
        gpus: Likewise.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    cpus: int = 1
    gpus: int = 0


def threads_of_a_training(cores: int, memory_bytes: int | None = None) -> int:
    """How many cores one training on a CPU gets: an even share of them for each of four, if there is memory for four.

    Of sixteen cores or more it is a share of at least four. It follows from the machine alone, so that the last bits
    of results do not depend on what else runs.

    Args:
        cores: Of this machine.
        memory_bytes: Of this machine, whether in use or not; None where it cannot be told.
    """
    at_once = max(min(_AT_ONCE, cores), cores // _CORES_A_TRAINING)
    if memory_bytes is not None:
        at_once = min(at_once, memory_bytes // _BYTES_A_TRAINING)
    return cores // max(1, at_once)


def stored_threads(path: Path, threads: int) -> int:
    """``threads``, or what was stored when the first training of this dataset was started.

    Args:
        path: ``schedule.json``; written if missing.
        threads: As ``threads_of_a_training`` has it for this machine.

    Raises:
        ArtefactError: The file is damaged, or of a later release.
    """
    if not path.exists():
        write_json(path, {"version": _SCHEDULE_VERSION, "threads": threads})
    content = read_json(path)
    check_version(path, content, what="schedule", reads=_SCHEDULE_VERSION)
    stored = content.get("threads")
    if not isinstance(stored, int) or stored < 1:
        raise ArtefactError(f"{path}: expected threads: a whole number of at least 1, got {stored!r}. Delete the file")
    return stored


def cpu_slots(cores: int, threads: int, *, free_bytes: int | None, most: int | None) -> list[Slot]:
    """Room for trainings on the CPU.

    Args:
        cores: Of this machine.
        threads: Of each training.
        free_bytes: Memory that is not in use; None where it cannot be told.
        most: As many as the user allows; None: no limit.
    """
    counts = [max(1, cores // threads)]
    counts += [] if free_bytes is None else [max(1, free_bytes // _BYTES_A_TRAINING)]
    counts += [] if most is None else [most]
    return [Slot()] * min(counts)


def gpu_slots(devices: Sequence[str], *, most: int | None) -> list[Slot]:
    """A GPU for each training; if the user wants more of them at once, they share the GPUs in turn.

    Args:
        devices: As CUDA_VISIBLE_DEVICES names them.
        most: As many as the user wants; None: as there are GPUs.
    """
    count = len(devices) if most is None else most
    return [Slot({"CUDA_VISIBLE_DEVICES": device}) for device in islice(cycle(devices), count)]


def free_memory() -> int | None:
    """Bytes that could be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None


def machine_memory() -> int | None:
    """Bytes of this machine's memory, in use or not; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
