"""Ray, as far as it is needed here: reached or started, quiet, and asked what its nodes have."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ensemble.errors import EngineError

_INSTALL = "pip install 'timm-ensemble[ray]'"
_REACH_SECONDS = 10.0
# Results are a few lines of text each; Ray would reserve a third of the memory for its object store.
_STORE_BYTES = 100 * 2**20


@dataclass(frozen=True)
class Node:
    """What one node offers, as Ray counts it."""

    cpus: int
    gpus: int


@contextmanager
def connected(address: str | None, *, cpus: int = 1) -> Iterator[Any]:
    """Ray, connected while the block runs.

    Args:
        address: ``auto``, ``host:port`` or ``ray://host:port``; None: an instance on this machine, which ends with the
            block.
        cpus: That such an instance has to offer at least; it offers all cores that this process may use.

    Raises:
        EngineError: Ray is not installed, does not start, nothing answers at the address, or the cluster is lost.
    """
    ray = import_ray()
    if address is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        where = {"address": "local", "num_cpus": max(cores, cpus), "object_store_memory": _STORE_BYTES}
        said, remedy = "Ray does not start here", "Without --engine ray the trainings run on this machine, too"
    else:
        _check_answer(address)
        where = {"address": address}
        said = f"there is no Ray cluster at {address}, or it lets nobody in without a token"
        remedy = "Start it: ray start --head; where it was started with a token, set RAY_AUTH_MODE=token"
    try:
        with _own_signals():
            ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        _keep_quiet(ray)
    except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
        raise EngineError(f"--engine ray: {said} ({error}). {remedy}") from error
    try:
        yield ray
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise EngineError(
            f"--engine ray: the cluster was lost ({error}). What is finished is kept, its trainings stop (saved), and "
            "the same command goes on"
        ) from error
    finally:
        ray.shutdown()


def _keep_quiet(ray: Any) -> None:
    """What Ray prints of lost nodes, whatever the level of its log, would stand in the midst of the live view."""
    worker = getattr(getattr(ray, "_private", None), "worker", None)
    if worker is not None and hasattr(
        worker, "print_to_stdstream"
    ):  # no public switch; without it there are only more lines
        worker.print_to_stdstream = lambda *_, **__: None


def nodes_of(ray: Any) -> list[Node]:
    """The nodes that are there now."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(int(have.get("CPU", 0)), int(have.get("GPU", 0))) for have in found]


def room_on(nodes: Sequence[Node], *, cpus: int, gpus: int) -> int:
    """How many trainings the nodes have room for at once.

    Args:
        nodes: At least one.
        cpus: Of each training.
        gpus: Of each training.

    Raises:
        EngineError: Not one fits: the task would wait for ever.
    """
    room = sum(min(node.cpus // cpus, node.gpus // gpus if gpus else node.cpus) for node in nodes)
    if room == 0:
        there = "; ".join(f"{node.cpus} CPUs, {node.gpus} GPUs" for node in nodes)
        raise EngineError(
            f"--engine ray: no node has room for a training that needs {cpus} CPUs and {gpus} GPUs (nodes: {there}). "
            "Give fewer --threads, another --device, or start such a node first"
        )
    return room


def import_ray() -> Any:
    """The library, imported when it is needed.

    Raises:
        EngineError: It is not installed.
    """
    # Ray's own switch: nothing about its use leaves this machine.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Workers would step back behind everything else on the machine, unlike the trainings of the local engine.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _own_signals():
            import ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(f"--engine ray: Ray cannot be imported ({error}). Install it: {_INSTALL}") from error
    return ray


def _check_answer(address: str) -> None:
    """Ray tries for a minute and then ends the process, so whether anybody listens is found out before."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        if address == "auto":
            return
        raise EngineError(f"--address {address}: expected auto, host:port or ray://host:port")
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"--address {address}: nothing answers there ({error}). Is the cluster up?") from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and would end this process without saving."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers if main}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its tips
        yield
    for number, handler in before.items():
        signal.signal(number, handler)
