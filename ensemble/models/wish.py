"""What a recipe asks of a network, and what can be said against it before anything is built."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
from timm.models import build_model_with_cfg, is_model, is_model_pretrained

from ensemble.models.registry import origin_models, settings_of

# Arguments of timm.create_model that the recipe states elsewhere, and where.
_STATED_ELSEWHERE = {
    "in_chans": "images have one channel",
    "num_classes": "the dataset's label table says how many classes there are",
    "img_size": "set data.image_size",
    "pretrained": "set model.pretrained",
    "checkpoint_path": "set model.pretrained to the file's path",
    "pool": "set model.pool",
    "dense_layers": "set model.dense_layers",
    "features_only": "members are classifiers",
}

_OWN = ("pool", "dense_layers")
_TIMMS_OWN = (
    "it belongs to timm's factory, which could be sent to any address, file or folder by such arguments. Take it out; "
    "weights come from model.pretrained"
)


def _named_parameters(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}


# Asked of timm itself, so that what a later version adds is refused as well.
_FACTORYS = _named_parameters(timm.create_model) | _named_parameters(build_model_with_cfg)


@dataclass(frozen=True)
class ModelWish:
    """The arguments of :func:`ensemble.models.build_model`, which describes them."""

    name: str
    in_chans: int
    num_classes: int
    image_size: tuple[int, int]
    pretrained: bool | Path
    pool: str | None
    dense_layers: int | None
    args: Mapping[str, Any]

    def own_settings(self) -> dict[str, str | int]:
        """Those of ``pool`` and ``dense_layers`` that are set."""
        wished = {"pool": self.pool, "dense_layers": self.dense_layers}
        return {key: value for key, value in wished.items() if value is not None}


def size_text(size: tuple[int, int]) -> str:
    """Height × width, as people write it."""
    return " × ".join(str(side) for side in size)


def objections(wish: ModelWish) -> list[str]:
    """Everything that is known to be wrong with ``wish`` from names alone, a sentence each."""
    unknown = _unknown_name(wish.name)
    if unknown:
        return [unknown]
    return [*_odd_settings(wish), *_odd_args(wish), *_odd_pretrained(wish)]


def _unknown_name(name: str) -> str:
    architecture, _, tag = name.partition(".")
    if not is_model(architecture):
        known = timm.list_models()
        close = difflib.get_close_matches(architecture.lower().replace("-", "_"), known, n=5, cutoff=0.6)
        return (
            f"model.name: neither timm nor this package has a model {name!r}. "
            f"{'Close: ' + ', '.join(close) if close else 'timm.list_models() lists all names'}. "
            f"Ours: {', '.join(origin_models())}"
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        return f"model.name: timm has no weights {tag!r} of {architecture}; it has {', '.join(tags) or 'none'}"
    return ""


def _odd_settings(wish: ModelWish) -> list[str]:
    return [
        f"model.{key}: {wish.name} does not know it, only {', '.join(_models_that_know(key))} do. "
        "What a timm model knows goes under model.args"
        for key in wish.own_settings()
        if key not in settings_of(wish.name)
    ]


def _models_that_know(setting: str) -> list[str]:
    return [name for name in origin_models() if setting in settings_of(name)]


def _odd_args(wish: ModelWish) -> list[str]:
    known = settings_of(wish.name)
    stated = {key: why for key, why in _STATED_ELSEWHERE.items() if key not in _OWN or key in known}
    stated |= {key: _TIMMS_OWN for key in wish.args if _is_timms_own(key) and key not in stated}
    problems = [f"model.args.{key}: it has no place here; {why}" for key, why in stated.items() if key in wish.args]
    unknown = [key for key in wish.args if known and key not in known and key not in stated]
    may_be = ", ".join(sorted(known - stated.keys()))
    return problems + [f"model.args.{key}: {wish.name} does not know it; it knows {may_be}" for key in unknown]


def _is_timms_own(key: str) -> bool:
    return key in _FACTORYS or key.startswith("pretrained")


def _odd_pretrained(wish: ModelWish) -> list[str]:
    if wish.pretrained is not True or is_model_pretrained(wish.name):
        return []
    return [f"model.pretrained: there are no weights of {wish.name} on the hub; set it to false, or to a file's path"]
