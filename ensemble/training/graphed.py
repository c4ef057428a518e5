"""The forward and backward pass as CUDA graphs: the GPU is told once what to do, and then only to do it again.

A network's step is hundreds of small operations, and for small batches it takes the host longer to ask for them than
the GPU to do them. torch's ``make_graphed_callables`` records them; the arithmetic is the same.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.memory import lack_of_memory
from ensemble.recipe import TrainingSettings
from ensemble.training.compiled import Forward
from ensemble.training.precision import Precision

# A recording keeps memory of its own, as do its rehearsals and what is not replayed (a last, smaller batch).
_LARGEST_SHARE = 0.3
_REFUSALS = (RuntimeError, AssertionError)
# What torch says of a rehearsal, which concerns nobody.
_UNIMPORTANT = r".*(AccumulateGrad node's stream does not match|no current CUDA context)"

Record = Callable[[nn.Module, torch.Tensor], Forward | None]
"""From a network and a batch to what replays its forward pass; None if there is no room for that."""


class GraphedForward:
    """The forward pass of a network: replayed for full batches, as ever for others.

    Each shape of a full batch, and each choice of frozen weights, is recorded when it is first met; only the last
    recording is kept.
    """

    def __init__(self, model: nn.Module, batch_size: int, record: Record) -> None:
        """For batches of ``batch_size`` images."""
        self._model, self._batch_size, self._record = model, batch_size, record
        self._weights = tuple(model.parameters())
        self._recorded: object = None
        self._replay: Forward = model

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (B, C).

        Raises:
            RecipeError: The network cannot be recorded.
        """
        if len(images) != self._batch_size:
            logits: torch.Tensor = self._model(images)
            return logits
        met = images.shape, tuple(weight.requires_grad for weight in self._weights)
        if met != self._recorded:
            self._replay = self._model  # two recordings need not fit
            self._replay = self._recording(images) or self._model
            self._recorded = met
        return self._replay(images)

    def _recording(self, images: torch.Tensor) -> Forward | None:
        try:
            return self._record(self._model, images)
        except _REFUSALS as error:
            if lack_of_memory(error):
                raise
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise _refusal(f"this network cannot be recorded ({said})") from error


def record_on_gpu(precision: Precision) -> Record:
    """What records a network in ``precision``, on the device where it is."""

    def record(model: nn.Module, images: torch.Tensor) -> Forward | None:
        device, network = images.device, _WithoutCache(model, precision)
        before = [buffer.clone() for buffer in model.buffers()]
        # The rehearsals before a recording draw numbers, and move batch normalisation's averages.
        with torch.cuda.device(device), torch.random.fork_rng([device]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", _UNIMPORTANT, UserWarning)
            with torch.autocast("cuda", enabled=False):
                replay = _recorded(network, images.clone()) if _is_room(network, images) else None
        with torch.no_grad():
            for buffer, old in zip(model.buffers(), before, strict=True):
                buffer.copy_(old)
        torch.cuda.empty_cache()  # of the rehearsals, which were on a stream of their own

        if replay is None:
            return None

        def forward(images: torch.Tensor) -> torch.Tensor:
            with torch.cuda.device(device):
                return cast("torch.Tensor", replay(images))

        return forward

    return record


def _is_room(network: nn.Module, images: torch.Tensor) -> bool:
    """Whether a step leaves most of the GPU's memory free: a recording that fails would spoil torch's random state.

    Others may use the GPU, too, so that what is free counts as well as what is there.
    """
    gc.collect()  # a former recording lies in circles of objects
    torch.cuda.empty_cache()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    torch.autograd.grad(network(images).float().sum(), weights, allow_unused=True)
    free, there = torch.cuda.mem_get_info(images.device)
    return torch.cuda.memory_reserved(images.device) <= min(_LARGEST_SHARE * there, free / 2)


def _recorded(network: nn.Module, images: torch.Tensor) -> Any:
    return torch.cuda.make_graphed_callables(network, (images,), allow_unused_input=True)


class _WithoutCache(nn.Module):
    """Weights are cast anew in each replay: a cast that autocast remembers would be that of the first one's weights."""

    def __init__(self, model: nn.Module, precision: Precision) -> None:
        super().__init__()
        self._model, self._precision = model, precision

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with self._precision.autocast(cached=False):
            logits: torch.Tensor = self._model(images)
        return logits


def recording_problems(model: nn.Module) -> list[str]:
    """What is known not to work, before it is tried."""
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        # Seen: "an illegal memory access", after which the process can only end.
        return [str(_refusal("recurrent layers cannot be recorded"))]
    return []


def obstacle(settings: TrainingSettings, processes: int) -> str:
    """Why nothing is recorded on a GPU although the recipe asks for it; empty if nothing speaks against it."""
    # A replay writes gradients where those of the batch before lie, which are still wanted where some add up.
    reasons = (
        (processes > 1, "several processes train together"),
        (settings.compile, "training.compile is true"),
        (settings.accumulation_steps > 1, "training.accumulation_steps is more than 1"),
    )
    return next((words for holds, words in reasons if holds), "")


def _refusal(what: str) -> RecipeError:
    return RecipeError(f"training.cuda_graphs: {what}. Set it to false: the results are the same")
