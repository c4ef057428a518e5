"""The state that an interrupted fold goes on from, and the weights that it leaves.

A checkpoint holds tensors, text, numbers, lists and dicts alone, so that ``weights_only=True`` can read it: a
checkpoint from a stranger runs no code.
"""

from __future__ import annotations

import io
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

from ensemble.errors import ArtefactError, TrainingDiverged
from ensemble.files import atomic_write
from ensemble.memory import lack_of_memory
from ensemble.models.weight_files import load_tensors, said_of_damage
from ensemble.training.engine import REMEDY, TrainingState

FORMAT_VERSION = 2
"""Version 1 was written at epochs' ends alone, and knew neither threads nor the random state."""
PIXELS = "pixels_sha256"
"""The fact that says on which decoded images; releases before it stored none."""
ROWS = {
    "folds_sha256": "fold file",
    "dataset": "dataset (labels, ids or groups)",
    PIXELS: "set of images (files were replaced since)",
}
"""What all folds of a member have in common, by the fact's name, in words."""

_READABLE = (1, FORMAT_VERSION)
_HARDWARE = ("device", "precision", "threads", "processes")
# What torch raises on damaged files.
_UNREADABLE = (
    *(pickle.UnpicklingError, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
# A checkpoint may cost this share of the time between two of them, at most.
_COST_FRACTION = 0.02
_MID_EPOCH_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One that was read, and fits."""

    path: Path
    content: Mapping[str, Any]

    @property
    def progress(self) -> dict[str, Any]:
        """As it was given to ``CheckpointWriter.write``."""
        stored: dict[str, Any] = self.content["progress"]
        return stored

    @property
    def hardware(self) -> dict[str, Any]:
        """``device`` (the kind), ``precision``, ``threads`` and ``processes`` of the run, where it knows them."""
        older = {name: self.content["facts"][name] for name in _HARDWARE if name in self.content["facts"]}
        return {**older, **self.content.get("hardware", {})}

    def restore(self, state: TrainingState, device: torch.device) -> None:
        """Put the state into ``state``, and the random state into torch.

        Raises:
            ArtefactError: It is not of this network or optimizer, though the recipe is the same: it is damaged.
            RuntimeError: The device has too little memory for it.
        """
        try:
            state.model.load_state_dict(self.content["model"])
            if state.ema is not None:
                state.ema.load_state_dict(self.content["ema"])
            state.optimizer.load_state_dict(self.content["optimizer"])
            state.scaler.load_state_dict(self.content["scaler"])
            state.updates = self.content["updates"]
            _set_random_state(self.content.get("random"), device)
        except _UNREADABLE as error:
            if lack_of_memory(error):
                raise
            raise _unreadable(self.path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error


@dataclass
class CheckpointWriter:
    """Writes a fold's checkpoint when enough work has been done to be worth keeping.

    Attributes:
        path: Where to.
        facts: What must be the same for a restart to go on: hashes of recipe, dataset and folds, and the like.
        hardware: With what a restart goes on: see ``Checkpoint.hardware``.
        every_seconds: Between two; None: as its cost allows, and within an epoch at least a minute.
        written: How many there were.
        seconds: What they took.
    """

    path: Path
    facts: Mapping[str, str | int]
    hardware: Mapping[str, str | int]
    every_seconds: float | None = None
    written: int = 0
    seconds: float = 0.0
    _last_ended: float = field(default_factory=time.monotonic)
    _last_took: float = 0.0

    def is_due(self, *, epoch_end: bool, last: bool = False) -> bool:
        """Whether enough time has passed since the last one.

        Args:
            epoch_end: Not within an epoch.
            last: No other will come, so that it is worth more than its share.
        """
        since, worked_off = time.monotonic() - self._last_ended, self._last_took / _COST_FRACTION
        if self.every_seconds is not None:
            return since >= self.every_seconds
        if last:
            return since >= min(worked_off, _MID_EPOCH_SECONDS)
        return since >= max(worked_off, 0.0 if epoch_end else _MID_EPOCH_SECONDS)

    def write(self, state: TrainingState, progress: Mapping[str, Any]) -> None:
        """Write it now.

        Raises:
            StorageError: The disk is full, read-only or gone; the last checkpoint is as it was.
            TrainingDiverged: A weight is not finite; the last checkpoint is as it was.
        """
        started = time.monotonic()
        refuse_bad_weights(state)
        content = {"version": FORMAT_VERSION, "facts": dict(self.facts), "hardware": dict(self.hardware)}
        # In memory first: torch hides a full disk behind an error about positions.
        packed = io.BytesIO()
        torch.save({**content, "progress": dict(progress), **_state_of(state)}, packed)
        with atomic_write(self.path) as stream:
            stream.write(packed.getbuffer())
        self._last_ended = time.monotonic()
        self._last_took = self._last_ended - started
        self.written += 1
        self.seconds += self._last_took


def _state_of(state: TrainingState) -> dict[str, Any]:
    return {
        "model": state.model.state_dict(),
        "ema": None if state.ema is None else state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "updates": state.updates,
        "random": _random_state(next(state.model.parameters()).device),
    }


def _random_state(device: torch.device) -> dict[str, torch.Tensor]:
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        found["mps"] = torch.mps.get_rng_state()
    return found


def _set_random_state(stored: Mapping[str, torch.Tensor] | None, device: torch.device) -> None:
    if stored is None:
        return
    torch.set_rng_state(stored["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(stored["cuda"], device)
    if device.type == "mps":
        torch.mps.set_rng_state(stored["mps"])


def refuse_bad_weights(state: TrainingState) -> None:
    """A finite loss can still have a gradient that is not: the update then leaves weights that are none.

    Raises:
        TrainingDiverged: A weight is not finite.
    """
    tensors = [tensor for tensor in state.final_model().state_dict().values() if tensor.is_floating_point()]
    tensors += [parameter.detach() for parameter in state.model.parameters()]
    if not bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all()):
        raise TrainingDiverged(
            f"a weight of the network is not finite after update {state.updates} (learning rate "
            f"{state.schedule.learning_rate():.3g}), though the loss was: a gradient overflowed. {REMEDY}"
        )


def read_checkpoint(path: Path, facts: Mapping[str, str | int]) -> Checkpoint | None:
    """The checkpoint at ``path``; None if there is none.

    Args:
        path: It may be missing.
        facts: As given to ``CheckpointWriter``.

    Raises:
        ArtefactError: It is damaged, of another version, or belongs to another recipe, dataset or fold file.
    """
    if not path.exists():
        return None
    content = _load(path)
    if content.get("version") not in _READABLE:
        raise ArtefactError(
            f"{path}: checkpoint of version {content.get('version')}, expected {FORMAT_VERSION}. Go on with the "
            "release that wrote it, or remove it to start this fold anew"
        )
    parts = ("facts", "progress", "model", "ema", "optimizer", "scaler", "updates")
    missing = [part for part in parts if part not in content]
    if missing:
        raise _unreadable(path, f"it lacks {', '.join(missing)}")
    stored = {PIXELS: facts.get(PIXELS), **content["facts"]}
    changed = [key for key in sorted({*facts, *stored} - {*_HARDWARE}) if facts.get(key) != stored.get(key)]
    if changed:
        raise ArtefactError(
            f"{path}: this unfinished fold was started with another "
            f"{' and another '.join(ROWS.get(key, key) for key in changed)}. "
            "Put back what was there then, use --name for another member, or --overwrite to start anew"
        )
    return Checkpoint(path, content)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = load_tensors(path)
    except (*_UNREADABLE, MemoryError) as error:
        if lack := lack_of_memory(error):
            raise ArtefactError(
                f"{path}: the checkpoint cannot be read: there is too little memory ({lack}). Make some free, and give "
                "the same command again; if that does not help, it is damaged: without it the fold starts anew"
            ) from error
        raise _unreadable(path, said_of_damage(error)) from error
    if not isinstance(content, dict):
        raise _unreadable(path, f"expected a checkpoint, got {type(content).__name__}")
    return content


def _unreadable(path: Path, why: str) -> ArtefactError:
    return ArtefactError(f"{path}: the checkpoint cannot be read: {why}. Remove it to start this fold anew")


def write_weights(path: Path, model: nn.Module) -> None:
    """The model's weights as safetensors, atomically. The format wants plain strides and no shared storage."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with atomic_write(path) as stream:
        stream.write(safetensors_bytes(tensors, metadata={"format": "pt"}))
