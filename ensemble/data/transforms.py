"""albumentations' transforms by name, with every mistake in a name or an argument refused.

This is the only file that imports albumentations.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from inspect import isclass, signature
from typing import Any

import cv2
from pydantic import ValidationError

from ensemble.errors import RecipeError
from ensemble.recipe.schema import TransformSettings

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # its import would look for a newer version over the network
import albumentations
from albumentations.augmentations.crops.transforms import CropSizeError

CONTAINERS = ("OneOf", "RandomOrder", "Sequential", "SomeOf")
_ABSTRACT = ("BasicTransform", "DualTransform", "ImageOnlyTransform", "Lambda", "Transform3D")
# What a transform may raise on arguments or an image that it was not made for.
FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    CropSizeError,
    cv2.error,
)


def build_transform(settings: TransformSettings) -> Any:
    """The transform, or a RecipeError that begins with its name."""
    kind = _transform_class(settings.name)
    args: dict[str, Any] = {name: _with_tuples(value) for name, value in settings.args.items()}
    _refuse_unknown(settings.name, given=list(args), known=_arguments(kind))
    if settings.name in CONTAINERS:
        args["transforms"] = [build_transform(part) for part in parts_of(settings)]
    elif "InitSchema" in vars(kind):
        args["strict"] = True  # otherwise some wrong values are replaced by defaults, with no more than a warning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # advice to use another transform
            return kind(**args)
    except FAILURES as error:
        raise RecipeError(f"{settings.name}: {reason_of(error)}") from error


def _refuse_unknown(name: str, *, given: Sequence[str], known: Sequence[str]) -> None:
    """The library itself only warns of arguments that it does not know."""
    unknown = [argument for argument in given if argument not in known]
    if unknown:
        close = get_close_matches(unknown[0], known, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"expected some of {', '.join(known)}"
        raise RecipeError(f"{name}: unknown argument {', '.join(map(repr, unknown))}; {meant}")


def _transform_class(name: str) -> Any:
    kind = getattr(albumentations, name, None)
    if name in CONTAINERS or (isclass(kind) and issubclass(kind, albumentations.BasicTransform)):
        if name not in _ABSTRACT:
            return kind
        raise RecipeError(f"{name}: this transform cannot be used from a recipe")
    close = get_close_matches(name, _names(), n=1)
    raise RecipeError(f"{name}: albumentations has no such transform{f'; did you mean {close[0]!r}?' if close else ''}")


def _names() -> list[str]:
    found = [name for name in dir(albumentations) if isclass(getattr(albumentations, name))]
    basic = albumentations.BasicTransform
    return [*CONTAINERS, *(name for name in found if issubclass(getattr(albumentations, name), basic))]


def _arguments(kind: Any) -> list[str]:
    return sorted(set(signature(kind.__init__).parameters) - {"self", "strict", "kwargs", "args"})


def parts_of(settings: TransformSettings) -> list[TransformSettings]:
    """The transforms inside a container."""
    listed = settings.args.get("transforms")
    if not isinstance(listed, list) or not listed:
        raise RecipeError(f"{settings.name}: expected transforms: [...], a list of at least one")
    try:
        return [TransformSettings.model_validate(part) for part in listed]
    except ValidationError as error:
        raise RecipeError(f"{settings.name}: transforms: {error.errors()[0]['msg']}") from error


def _with_tuples(value: Any) -> Any:
    """YAML has lists where albumentations wants tuples."""
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def reason_of(error: BaseException) -> str:
    """An error's message in one line; of pydantic's, which argument is wrong and why."""
    if not isinstance(error.__cause__, ValidationError):
        return " ".join(str(error).split())[:300] or type(error).__name__
    told: dict[str, list[str]] = {}
    for detail in error.__cause__.errors():
        told.setdefault(str(detail["loc"][0]) if detail["loc"] else "arguments", []).append(detail["msg"])
    return "; ".join(f"{name}: {' or '.join(messages)}" for name, messages in told.items())
