"""Which number format the forward pass runs in: chosen once, from facts about the hardware, with the reason."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ensemble.errors import RecipeError

PrecisionName = Literal["float32", "bfloat16", "float16"]
_AMPERE = (8, 0)
_VOLTA = (7, 0)


@dataclass(frozen=True)
class Precision:
    """The format of the forward pass; weights, loss and logits are float32 always.

    Attributes:
        name: The format.
        reason: Why it was chosen, for the start line and ``run.json``.
        device_type: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    name: PrecisionName
    reason: str
    device_type: str

    def autocast(self, *, cached: bool = True) -> AbstractContextManager[object]:
        """The context for a forward pass; ``cached``: a weight that is used twice is cast once."""
        dtype = getattr(torch, self.name)
        return torch.autocast(self.device_type, dtype=dtype, enabled=self.name != "float32", cache_enabled=cached)

    def scaler(self) -> torch.amp.GradScaler:
        """The gradient scaler: active for float16 alone, whose small gradients would round to zero."""
        return torch.amp.GradScaler(self.device_type, enabled=self.name == "float16")


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision for ``device``.

    Args:
        wanted: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: Where the network runs.

    Raises:
        RecipeError: float16 was asked for on a CPU, where it has no gradient scaling and no fast arithmetic.
    """
    if wanted == "auto":
        return _automatic(device)
    if wanted == "float16" and device.type == "cpu":
        raise RecipeError(
            "precision: float16 needs a CUDA or MPS device, and this run is on the CPU: use auto, bfloat16 or float32"
        )
    if wanted not in ("float32", "bfloat16", "float16"):
        raise RecipeError(f"precision: expected auto, float32, bfloat16 or float16, got {wanted!r}")
    return Precision(wanted, _asked_for(wanted, device), device.type)  # type: ignore[arg-type]


def _asked_for(wanted: str, device: torch.device) -> str:
    """The reason, with a warning where the arithmetic is only imitated."""
    said = "the recipe asks for it"
    if wanted != "bfloat16" or device.type not in ("cpu", "cuda"):
        return said
    on_cpu = device.type == "cpu"
    if cpu_has_bfloat16() if on_cpu else torch.cuda.get_device_capability(device) >= _AMPERE:
        return said
    return (
        f"{said}, but this {'processor' if on_cpu else 'GPU'} has no bfloat16 instructions and imitates them, several "
        "times slower than float32; --set precision=auto takes what is fast here"
    )


def _automatic(device: torch.device) -> Precision:
    if device.type == "cuda":
        return _automatic_on_cuda(torch.cuda.get_device_capability(device))
    if device.type == "cpu" and cpu_has_bfloat16():
        return Precision("bfloat16", "this processor has bfloat16 instructions (AVX512-BF16 or AMX)", "cpu")
    if device.type == "cpu":
        return Precision("float32", "this processor has no bfloat16 instructions", "cpu")
    return Precision("float32", f"mixed precision is not tried on {device.type}", device.type)


def _automatic_on_cuda(capability: tuple[int, int]) -> Precision:
    if capability >= _AMPERE:
        return Precision("bfloat16", "this GPU has fast bfloat16, which needs no loss scaling", "cuda")
    if capability >= _VOLTA:
        return Precision("float16", "this GPU has fast float16 but no fast bfloat16; the loss is scaled", "cuda")
    return Precision("float32", "this GPU has neither fast bfloat16 nor fast float16", "cuda")


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (without, autocast crawls)."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    processor = Path("/proc/cpuinfo")
    flags = processor.read_text(encoding="utf-8").split() if processor.exists() else []
    return "avx512_bf16" in flags or "amx_bf16" in flags


def choose_device(wanted: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        RecipeError: There is no such device here.
    """
    if wanted == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    kind, _, number = wanted.partition(":")
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if not re.fullmatch(r"(cpu|cuda|mps)(:(0|[1-9][0-9]{0,3}))?", wanted):
        raise RecipeError(f"--device {wanted}: expected auto, cpu, cuda, cuda:0, cuda:1, … or mps")
    if int(number or 0) >= available[kind]:
        raise RecipeError(
            f"--device {wanted}: this machine has {available[kind]} such devices; --device auto picks one"
        )
    return torch.device(wanted)


def usable_cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
