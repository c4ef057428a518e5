"""Files of weights, as people have them: bare or wrapped, ``.safetensors``, ``.pth`` or ``.pt``."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import clean_state_dict
from torch import Tensor

from ensemble.errors import ArtefactError, first_few

# Where training scripts put weights among other things; the first that is there counts: averaged before raw.
_WRAPPINGS = ("state_dict_ema", "model_ema", "state_dict", "model")
# What torch and safetensors raise on damaged files, as found by damaging some thousands of them.
_UNREADABLE = (
    *(pickle.UnpicklingError, SafetensorError, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
_SAVE_SO = "Save model.state_dict() alone, with safetensors.torch.save_file or torch.save"


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU, without wrapping and without a ``module.`` before the names.

    Pickled files are read with ``weights_only=True``: a file from a stranger runs no code.

    Raises:
        ArtefactError: The file is missing, cannot be read, or holds something else than named tensors.
    """
    if not path.is_file():
        raise ArtefactError(
            f"model.pretrained: {path} is no file: expected weights as .safetensors, .pth or .pt (relative paths start "
            "at the current folder)"
        )
    content = _unwrapped(_read(path))
    flaw = _flaw(content)
    if flaw:
        raise ArtefactError(
            f"{path}: expected a state dict (tensors by name), bare or under one of {', '.join(_WRAPPINGS)}; got "
            f"{flaw}. {_SAVE_SO}"
        )
    state: dict[str, Tensor] = clean_state_dict(content)
    return state


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return load_tensors(path)
    except _UNREADABLE as error:
        raise ArtefactError(
            f"{path}: expected weights as .safetensors, or saved by torch.save and readable with weights_only=True "
            f"(tensors, not a pickled model); it cannot be read: {said_of_damage(error)}. {_SAVE_SO}"
        ) from error


def load_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote, on the CPU; nothing but tensors and plain values is read, and no code runs.

    Raises:
        Exception: One of many kinds, where the file holds anything else or is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a foreign pickle's protocol, asking the user to write to torch
        return torch.load(path, map_location="cpu", weights_only=True)


def _unwrapped(content: Any) -> Any:
    if not isinstance(content, Mapping):
        return content
    for key in _WRAPPINGS:
        if isinstance(content.get(key), Mapping):
            return content[key]
    return content


def _flaw(content: Any) -> str:
    """Why ``content`` is no state dict, or nothing."""
    if not isinstance(content, Mapping):
        return f"one {type(content).__name__}"
    if not content:
        return "nothing in it"
    odd = [key for key, value in content.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    return f"entries that are no named tensors: {first_few(odd)}" if odd else ""


def said_of_damage(error: BaseException) -> str:
    """What a reader's error says of a file, in words.

    Only the first sentence: torch goes on with advice that we do not give, to load the file without ``weights_only``.
    What the readers stumble over in a file of another kind (a byte, a key) says nothing to anybody.
    """
    said = next(iter(str(error).splitlines()), "").split(". ")[0].rstrip(".?")
    if said == "Weights only load failed":
        return "it holds other things than tensors, or is damaged"
    if len(said.split()) > 2:
        return said
    stumbled = f" {said}" if said else ""
    return f"its bytes are not those of such a file, or are damaged ({type(error).__name__}{stumbled})"
