"""Threads and room, here and on a Ray cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ensemble.errors import EngineError
from ensemble.scheduling.ray_cluster import Node
from ensemble.scheduling.room import Room, Wish, room_here, room_of_ray, room_of_ray_here
from ensemble.scheduling.split import Slot
from ensemble.training.precision import usable_cores


def wish(
    tmp_path: Path, *, device: str = "auto", here: str = "cpu", most: int | None = None, write: bool = True
) -> Wish:
    return Wish(device, torch.device(here), None, most, tmp_path / "schedule.json", write)


def test_the_same_room_with_and_without_ray(tmp_path: Path) -> None:
    here, ray = room_here(wish(tmp_path, most=1)), room_of_ray_here(wish(tmp_path, most=1))
    assert here.threads == ray.threads
    assert here.slots == ray.slots == [Slot(cpus=here.threads or 0)]
    assert (here.device, ray.device) == ("auto", "auto")


def test_gpus_of_this_machine_are_named_by_us_or_chosen_by_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    gpus = wish(tmp_path, here="cuda")
    assert visible(room_here(gpus)) == ["3", "5"]
    assert room_here(gpus).each() == "a GPU each"
    shared = room_here(replace(gpus, most=3))
    assert visible(shared) == ["3", "5", "3"]
    assert (shared.at_once, shared.each(), shared.threads) == (3, "sharing 2 GPUs", max(1, usable_cores() // 3))
    assert room_of_ray_here(replace(gpus, most=3)).at_once == 2
    ray = room_of_ray_here(gpus)
    assert (ray.threads, ray.slots, ray.device) == (None, [Slot(gpus=1)] * 2, "cuda")
    assert room_of_ray_here(replace(gpus, threads=4)).slots == [Slot(cpus=4, gpus=1)] * 2
    assert not (tmp_path / "schedule.json").exists()


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ("0,1,2,3", ["0", "1"]),
        (" 3, 5", ["3", "5"]),
        ("", ["0", "1"]),
        ("MIG-a,MIG-b,MIG-c", ["MIG-a", "MIG-b", "MIG-c"]),
    ],
)
def test_a_gpu_that_is_named_but_not_there_gets_no_training(
    named: str, seen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    room = room_here(wish(tmp_path, here="cuda"))
    assert visible(room) == seen
    assert room.device == "cuda"  # with auto, a training whose GPU is gone would go on with the processor


def visible(room: Room) -> list[str]:
    return [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in room.slots]


def test_a_cluster_without_gpus_divides_the_smallest_node(tmp_path: Path) -> None:
    room = room_of_ray(wish(tmp_path), [Node(0, 0), Node(16, 0), Node(9, 0)], trainings=15)
    assert (room.threads, room.device, room.at_once) == (2, "cpu", 12)
    assert room.slots == [Slot(cpus=2)] * 15
    assert room_of_ray(wish(tmp_path, most=2), [Node(16, 0)], trainings=15).at_once == 2
    with pytest.raises(EngineError, match="needs 2 CPUs"):  # stored, whatever the nodes are later
        room_of_ray(wish(tmp_path), [Node(1, 0)], trainings=15)


def test_a_dry_run_writes_nothing_and_reads_what_is_stored(tmp_path: Path) -> None:
    assert room_of_ray(wish(tmp_path, write=False), [Node(16, 0)], trainings=1).threads == 4
    assert not (tmp_path / "schedule.json").exists()
    room_of_ray(wish(tmp_path), [Node(2, 0)], trainings=1)
    assert room_of_ray(wish(tmp_path, write=False), [Node(16, 0)], trainings=1).threads == 1


def test_a_cluster_with_gpus_gives_one_to_each_training(tmp_path: Path) -> None:
    nodes = [Node(8, 4), Node(16, 0)]
    room = room_of_ray(wish(tmp_path), nodes, trainings=15)
    assert (room.threads, room.device, room.at_once, room.slots[0]) == (None, "cuda", 4, Slot(gpus=1))
    assert room_of_ray(wish(tmp_path, device="cpu"), nodes, trainings=15).device == "cpu"
    with pytest.raises(EngineError, match="needs 1 CPUs and 1 GPUs"):
        room_of_ray(wish(tmp_path, device="cuda"), [Node(8, 0)], trainings=15)
    with pytest.raises(EngineError, match=r"--device cuda:1: with --engine ray expected auto, cpu or cuda"):
        room_of_ray(wish(tmp_path, device="cuda:1"), nodes, trainings=15)
