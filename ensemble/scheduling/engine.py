"""What runs the trainings of a project: processes of this machine, or tasks of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ensemble.scheduling import local
from ensemble.scheduling.local import Outcome, Watcher
from ensemble.scheduling.plan import PlannedRun
from ensemble.scheduling.ray_cluster import connected, import_ray, nodes_of, room_on
from ensemble.stopping import StopRequest

if TYPE_CHECKING:
    from ensemble.scheduling.room import Room, Wish


class Engine(Protocol):
    """One way to run many trainings; the results are the same for all."""

    def room(self, wish: Wish, *, trainings: int) -> Room:
        """What each of the trainings gets, and how many fit."""

    def run_all(self, runs: Sequence[PlannedRun], room: Room, stop: StopRequest, watcher: Watcher) -> list[Outcome]:
        """See ``ensemble.scheduling.local.run_all``."""


def choose_engine(name: str, address: str | None) -> Engine:
    """The engine called ``local`` or ``ray``.

    Args:
        name: Of the engine.
        address: Of a Ray cluster; None: an instance of our own, where Ray is the engine.

    Raises:
        EngineError: Ray is not installed.
    """
    if name == "local":
        return _Local()
    import_ray()
    return _Ray(address)


class _Local:
    def room(self, wish: Wish, *, trainings: int) -> Room:  # noqa: ARG002 - Ray's needs it
        from ensemble.scheduling.room import room_here  # noqa: PLC0415 - imports torch

        return room_here(wish)

    def run_all(self, runs: Sequence[PlannedRun], room: Room, stop: StopRequest, watcher: Watcher) -> list[Outcome]:
        return local.run_all(runs, room.slots, stop, watcher)


@dataclass(frozen=True)
class _Ray:
    """Connected only while it is asked or used: in between images are decoded by processes that are forked."""

    address: str | None

    def room(self, wish: Wish, *, trainings: int) -> Room:
        from ensemble.scheduling.room import room_of_ray, room_of_ray_here  # noqa: PLC0415 - imports torch

        if self.address is None:
            return room_of_ray_here(wish)
        with connected(self.address) as ray:
            return room_of_ray(wish, nodes_of(ray), trainings=trainings)

    def run_all(self, runs: Sequence[PlannedRun], room: Room, stop: StopRequest, watcher: Watcher) -> list[Outcome]:
        from ensemble.scheduling.ray import run_all  # noqa: PLC0415 - only where Ray is

        need = room.slots[0]
        with connected(self.address, cpus=need.cpus) as ray:
            room_on(nodes_of(ray), cpus=need.cpus, gpus=need.gpus)
            return run_all(runs, room.slots, stop, watcher)
