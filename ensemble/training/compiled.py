"""``torch.compile`` for the training step; where it cannot work, one error says so."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ensemble.errors import RecipeError
from ensemble.memory import lack_of_memory

Forward = Callable[[torch.Tensor], torch.Tensor]

NOTICE = "training.compile: the first batch of each shape takes longer, while torch translates the network for it"
"""What a user should know before the first batch."""

_BACKEND = "inductor"
# What it raises without a compiler, on a device that it does not know, and on a network that it cannot translate.
_REFUSALS = (RuntimeError, ImportError, OSError, NotImplementedError)
# Shapes times modes: batches and last batches, of every size of progressive resizing, frozen or not. Beyond the
# limit torch would go on untranslated.
_TRANSLATIONS = 64


def check_compiler(device: torch.device) -> None:
    """Translate and run one line, with its gradient.

    Raises:
        RecipeError: torch cannot translate for this device here: most often a compiler is missing.
    """
    line = torch.compile(lambda values: (values * 2).sum(), backend=_BACKEND)
    try:
        line(torch.ones(3, device=device, requires_grad=True)).backward()
    except _REFUSALS as error:
        if lack_of_memory(error):
            raise
        raise _refusal(error, f"torch cannot translate for {device.type} here") from error


def compile_forward(model: Forward) -> Forward:
    """The forward pass of ``model``, translated when it first meets a shape; the weights stay the model's own.

    It may be a network, or its forward pass as several processes share it. Every shape has a translation of its own,
    so that a fold that goes on translates as it did before.
    """
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = _TRANSLATIONS  # noqa: SLF001 - torch's documented way
    translated = torch.compile(model, dynamic=False, backend=_BACKEND)

    def forward(images: torch.Tensor) -> torch.Tensor:
        try:
            logits: torch.Tensor = translated(images)
        except torch._dynamo.exc.TorchDynamoException as error:  # noqa: SLF001
            if lack_of_memory(error):
                raise
            raise _refusal(error, "torch cannot translate this network") from error
        return logits

    return forward


def _refusal(error: Exception, what: str) -> RecipeError:
    # torch's first line names its own part ("backend='inductor' raised:"), the second one the reason.
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.endswith("raised:")]
    said = lines[0] if lines else type(error).__name__
    return RecipeError(
        f"training.compile: {what} ({said}). A C++ compiler is needed on CPUs, Triton on CUDA. Set it to false: the "
        "results are the same but for rounding"
    )
