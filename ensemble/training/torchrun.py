"""Meet the processes that torchrun has started, and end together with them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from timm.utils.distributed import init_distributed_device_so
from torch import distributed as dist

from ensemble.data.shares import Share
from ensemble.errors import EnsembleError, RecipeError, many
from ensemble.processes import Place, may_speak, say_unheard
from ensemble.training.team import Team
from ensemble.training.together import TorchrunTeam


@contextmanager
def joined(place: Place, device: str) -> Iterator[Team]:
    """The team of the processes that torchrun has started; all of them end together.

    Args:
        place: This process's.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        RecipeError: There are more processes than GPUs, or it is a device that cannot be shared so.
        EnsembleError: The processes do not find one another; what another one has raised, in the leader.
        SystemExit: In the others, where one has raised something.
        WorkerDied: A process is gone.
    """
    try:
        device = _join(place, _device(place, device))
    except EnsembleError as error:
        if not may_speak():
            say_unheard(place.rank, place.count, str(error))
        raise
    team = TorchrunTeam(Share(place.rank, place.count), device)
    try:
        yield team
        team.agree()
    except BaseException as error:
        team.tell(error)
        raise
    dist.destroy_process_group()


def _device(place: Place, wanted: str) -> str:
    if wanted not in ("auto", "cpu", "cuda"):
        raise RecipeError(f"--device {wanted}: torchrun gives each process its own GPU, so expected auto, cpu or cuda")
    gpus = torch.cuda.device_count()
    if wanted == "cpu" or (wanted == "auto" and gpus == 0):
        return "cpu"
    if place.local_count > gpus:
        fewer = f"give --nproc-per-node {gpus}, or --device cpu" if gpus else "give --device cpu"
        raise RecipeError(
            f"torchrun has started {place.local_count} processes on {socket.gethostname()}, which has "
            f"{many(gpus, 'GPU')} for them: {fewer}"
        )
    return "cuda"


def _join(place: Place, device: str) -> str:
    """Meet the others; returns this process's device."""
    try:
        made: str = init_distributed_device_so(device)["device"]
    except (RuntimeError, ValueError, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EnsembleError(
            f"the {place.count} processes that torchrun has started do not find one another ({said})"
        ) from error
    return made
