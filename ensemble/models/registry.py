"""The origin's architectures in timm's registry, and which settings each of them knows."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from timm.models import generate_default_cfgs, is_model, model_entrypoint, register_model
from torch import nn

EntryPoint = TypeVar("EntryPoint", bound=Callable[..., nn.Module])

_CLASSES: dict[str, type[nn.Module]] = {}
# Constructor arguments that are no setting: the first two are given by the entry point.
_NO_SETTING = frozenset({"self", "plan"})


def register(model_class: type[nn.Module]) -> Callable[[EntryPoint], EntryPoint]:
    """Register the decorated entry point with timm under its own name, as :func:`timm.models.register_model` does.

    A module that is loaded a second time replaces its own models silently; a name that somebody else has registered
    still gets timm's warning.

    Args:
        model_class: What the entry point makes. Its constructor's arguments are the settings that the model knows.
    """

    def decorate(entry_point: EntryPoint) -> EntryPoint:
        with warnings.catch_warnings():
            if _is_loaded_again(entry_point):
                warnings.simplefilter("ignore", UserWarning)
            register_model(entry_point)
        _CLASSES[entry_point.__name__] = model_class
        return entry_point

    return decorate


def _is_loaded_again(entry_point: Callable[..., nn.Module]) -> bool:
    name = entry_point.__name__
    return is_model(name) and bool(model_entrypoint(name).__module__ == entry_point.__module__)


def origin_models() -> tuple[str, ...]:
    """Names of all architectures of this package, sorted."""
    return tuple(sorted(_CLASSES))


def settings_of(name: str) -> frozenset[str]:
    """The constructor arguments that the architecture ``name`` of this package knows; empty for any other model."""
    if name not in _CLASSES:
        return frozenset()
    return frozenset(inspect.signature(_CLASSES[name].__init__).parameters) - _NO_SETTING


def default_configs(*names: str, first_conv: str) -> Any:
    """Describe to timm models for one-channel images, prepared as the origin prepares them: 224 × 224 pixels.

    Args:
        names: Of the models.
        first_conv: The layer whose weights depend on the number of channels.

    Returns:
        What timm wants to find as ``default_cfgs`` in a module that registers models.
    """
    config = {
        "url": "",
        "num_classes": 3,
        "input_size": (1, 224, 224),
        "fixed_input_size": True,  # timm's word for: the constructor takes img_size
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": (0.485,),
        "std": (0.229,),
        "first_conv": first_conv,
        "classifier": "head.fc",
    }
    return generate_default_cfgs(dict.fromkeys(names, config))
