"""How a machine is split: from its cores and its memory, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.errors import ArtefactError, EnsembleError
from ensemble.files import read_json, write_json
from ensemble.scheduling.split import (
    cpu_slots,
    free_memory,
    gpu_slots,
    machine_memory,
    stored_threads,
    threads_of_a_training,
)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (7, 1), (8, 2), (12, 3), (15, 3), (16, 4), (64, 4)])
def test_threads_follow_from_the_number_of_cores(cores: int, threads: int) -> None:
    assert threads_of_a_training(cores) == threads


def test_a_machine_with_little_memory_gives_its_cores_to_fewer_trainings() -> None:
    assert threads_of_a_training(4, 7 * 2**30) == 4
    assert threads_of_a_training(4, 9 * 2**30) == 2
    assert threads_of_a_training(4, 64 * 2**30) == 1
    assert threads_of_a_training(2, 2**30) == 2


def test_room_is_bounded_by_cores_memory_and_the_user() -> None:
    assert len(cpu_slots(16, 4, free_bytes=None, most=None)) == 4
    assert len(cpu_slots(16, 4, free_bytes=9 * 2**30, most=None)) == 2
    assert len(cpu_slots(16, 4, free_bytes=0, most=None)) == 1
    assert len(cpu_slots(16, 4, free_bytes=None, most=3)) == 3
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(["0", "1", "2"], most=2)] == ["0", "1"]
    assert free_memory() is None or free_memory() > 0
    assert machine_memory() is None or machine_memory() >= (free_memory() or 0)


def test_threads_are_kept_whatever_the_machine_is_later(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    assert stored_threads(path, 4) == 4
    assert stored_threads(path, 2) == 4
    assert read_json(path) == {"version": 1, "threads": 4}
    write_json(path, {"version": 1, "threads": 0})
    with pytest.raises(ArtefactError, match="threads: a whole number of at least 1, got 0"):
        stored_threads(path, 2)
    write_json(path, {"version": 2, "threads": 4})
    with pytest.raises(EnsembleError, match="format version 2"):
        stored_threads(path, 2)
