"""The state that an interrupted fold goes on from, and the weights that it leaves.

A checkpoint holds tensors, text, numbers, lists and dicts alone, so that ``weights_only=True`` can read it: a
checkpoint from a stranger runs no code.
"""

from __future__ import annotations

import pickle
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import nn

from ensemble.errors import ArtefactError
from ensemble.files import atomic_write
from ensemble.models.weight_files import said_of_damage
from ensemble.training.engine import TrainingState

FORMAT_VERSION = 1
PIXELS = "pixels_sha256"
"""The fact that says on which decoded images; releases before it stored none."""

# What torch raises on damaged files.
_UNREADABLE = (
    *(pickle.UnpicklingError, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
# A checkpoint may cost this share of the time between two of them, at most.
_COST_FRACTION = 0.02


@dataclass
class CheckpointWriter:
    """Writes a fold's checkpoint when enough work has been done to be worth keeping.

    Attributes:
        path: Where to.
        facts: What must be the same for a restart to go on: hashes of recipe, dataset and folds, and the like.
    """

    path: Path
    facts: Mapping[str, str | int]
    _last_ended: float = field(default_factory=time.monotonic)
    _last_took: float = 0.0

    def maybe_write(self, state: TrainingState, progress: Mapping[str, Any]) -> bool:
        """Write, unless the last write's cost is not yet worked off."""
        started = time.monotonic()
        if started - self._last_ended < self._last_took / _COST_FRACTION:
            return False
        content = {"version": FORMAT_VERSION, "facts": dict(self.facts), "progress": dict(progress)}
        with atomic_write(self.path) as stream:
            torch.save({**content, **_state_of(state)}, stream)
        self._last_ended = time.monotonic()
        self._last_took = self._last_ended - started
        return True


def _state_of(state: TrainingState) -> dict[str, Any]:
    return {
        "model": state.model.state_dict(),
        "ema": None if state.ema is None else state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "updates": state.updates,
    }


def resume(path: Path, state: TrainingState, facts: Mapping[str, str | int]) -> dict[str, Any] | None:
    """Put the checkpoint at ``path`` into ``state``.

    Args:
        path: The checkpoint; it may be missing.
        state: Changed in place.
        facts: As given to ``CheckpointWriter``.

    Returns:
        The ``progress`` that was stored, or None if there is no checkpoint.

    Raises:
        ArtefactError: It is damaged, of another version, or belongs to another recipe, dataset or fold file.
    """
    if not path.exists():
        return None
    content = _load(path)
    if content.get("version") != FORMAT_VERSION:
        raise ArtefactError(f"{path}: checkpoint of version {content.get('version')}, expected {FORMAT_VERSION}")
    stored = {PIXELS: facts.get(PIXELS), **content["facts"]}
    changed = [key for key in sorted({*facts, *stored}) if facts.get(key) != stored.get(key)]
    if changed:
        raise ArtefactError(
            f"{path}: this unfinished fold was started with another {', '.join(changed)}. "
            "Restore it, use --name for another member, or --overwrite to start anew"
        )
    state.model.load_state_dict(content["model"])
    if state.ema is not None:
        state.ema.load_state_dict(content["ema"])
    state.optimizer.load_state_dict(content["optimizer"])
    state.scaler.load_state_dict(content["scaler"])
    state.updates = content["updates"]
    progress: dict[str, Any] = content["progress"]
    return progress


def _load(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ArtefactError(
            f"{path}: the checkpoint cannot be read: {said_of_damage(error)}. Remove it to start this fold anew"
        ) from error
    if not isinstance(content, dict):
        raise ArtefactError(
            f"{path}: expected a checkpoint, got {type(content).__name__}. Remove it to start this fold anew"
        )
    return content


def write_weights(path: Path, model: nn.Module) -> None:
    """The model's weights as safetensors, atomically. The format wants plain strides and no shared storage."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with atomic_write(path) as stream:
        stream.write(safetensors_bytes(tensors, metadata={"format": "pt"}))
