"""One way to build a network by name: the origin's architectures and every other timm model.

timm adapts a first convolution for colour images to one channel by summing its kernels, but the mean and standard
deviation of its ``pretrained_cfg`` stay those of three channels. Nothing here reads them: a recipe states the mean
and standard deviation of its images.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg
from torch import Tensor, nn

from ensemble.errors import EnsembleError, OutOfMemory, RecipeError
from ensemble.memory import lack_of_memory
from ensemble.models.hub import weights_source
from ensemble.models.pretrained import load_weights
from ensemble.models.wish import ModelWish, objections, size_text

_log = logging.getLogger(__name__)

_NO_ARGS: Mapping[str, Any] = MappingProxyType({})
_UNKNOWN_ARGUMENT = re.compile(r"unexpected keyword argument '(\w+)'")
# What constructors raise on a value that they cannot use, and forward passes on images that do not fit.
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError, ArithmeticError)


class _RefusedError(RecipeError):
    """A wish that cannot be met, with the problems one by one."""

    def __init__(self, wish: ModelWish, problems: list[str]) -> None:
        super().__init__(str(RecipeError.gather(f"model {wish.name!r} cannot be built", problems)))
        self.problems = problems


def build_model(  # noqa: PLR0913 - one argument a key of the recipe's section
    name: str,
    *,
    in_chans: int = 1,
    num_classes: int,
    image_size: tuple[int, int],
    pretrained: bool | Path = False,
    pool: str | None = None,
    dense_layers: int | None = None,
    args: Mapping[str, Any] = _NO_ARGS,
) -> nn.Module:
    """Build a network on the CPU, its random weights drawn from torch's global state.

    Args:
        name: One of ours (:func:`ensemble.models.origin_models`) or of timm's, with or without the tag of its weights.
        in_chans: Channels of the images.
        num_classes: C, the width of the logits.
        image_size: Height and width of the images. Models made for one size (timm's ``fixed_input_size``) are made
            for this one.
        pretrained: False: random weights. True: timm's weights from the hub. A path: a file of weights; see
            :func:`ensemble.models.load_weights`. What was changed of a file's weights is logged.
        pool: ``max`` or ``avg``; models that know it.
        dense_layers: 1 or 2; models that know it.
        args: Anything else for the model's constructor.

    Returns:
        A network that maps (B, in_chans, H, W) to logits (B, C).

    Raises:
        RecipeError: No such model, a setting or argument that it does not know or accept, or weights that cannot be
            had from the hub.
        ArtefactError: The file of weights is missing, unreadable or does not fit.
        OutOfMemory: The network is too large for this machine.
    """
    wish = ModelWish(name, in_chans, num_classes, image_size, pretrained, pool, dense_layers, args)
    model, notices = _build(wish)
    for notice in notices:
        _log.warning("%s", notice)
    return model


def check_model(  # noqa: PLR0913 - as build_model
    name: str,
    *,
    in_chans: int = 1,
    num_classes: int,
    image_size: tuple[int, int],
    pretrained: bool | Path = False,
    pool: str | None = None,
    dense_layers: int | None = None,
    args: Mapping[str, Any] = _NO_ARGS,
) -> list[str]:
    """What would go wrong with these arguments of :func:`build_model`, tried on two empty images.

    The network is built and run once without gradients; nothing is downloaded, and torch's random state stays.

    Returns:
        One sentence a problem; empty if the network can be trained.
    """
    wish = ModelWish(name, in_chans, num_classes, image_size, pretrained, pool, dense_layers, args)
    problems = objections(wish)
    if problems:
        return problems
    try:
        with torch.random.fork_rng(devices=[]):
            model, _ = _build(replace(wish, pretrained=False) if pretrained is True else wish)
            return _try_forward(model, wish)
    except _RefusedError as error:
        return error.problems
    except EnsembleError as error:
        return [str(error)]


def _build(wish: ModelWish) -> tuple[nn.Module, list[str]]:
    """The network and what was changed of a file's weights."""
    problems = objections(wish)
    if problems:
        raise _RefusedError(wish, problems)
    with _offline_said(wish):
        model = _create(wish)
    if isinstance(wish.pretrained, Path):
        return model, load_weights(model, wish.pretrained, in_chans=wish.in_chans)
    return model, []


def _create(wish: ModelWish) -> nn.Module:
    """Ask timm's factory, with every argument that the model does not know collected into one error."""
    args = {**wish.args, **wish.own_settings(), **_size_argument(wish)}
    source = weights_source(wish.name) if wish.pretrained is True else {}
    problems: list[str] = []
    while True:
        try:
            model: nn.Module = timm.create_model(
                wish.name,
                pretrained=wish.pretrained is True and not problems,
                in_chans=wish.in_chans,
                num_classes=wish.num_classes,
                **source,
                **args,
            )
            break
        except _REFUSALS as error:
            if lack := lack_of_memory(error):
                raise OutOfMemory(_short(wish, lack)) from error
            key = _unknown_argument(error)
            if key not in args.keys() & wish.args.keys():
                raise _RefusedError(wish, [*problems, _refusal(wish, error)]) from error
            problems.append(f"model.args.{key}: timm's {wish.name} does not know this argument")
            del args[key]
    if problems:
        raise _RefusedError(wish, problems)
    return model


def _unknown_argument(error: Exception) -> str:
    found = _UNKNOWN_ARGUMENT.search(str(error)) if isinstance(error, TypeError) else None
    return found[1] if found else ""


def _size_argument(wish: ModelWish) -> dict[str, tuple[int, int]]:
    """``img_size`` for models that have it: those that timm describes as made for one size of image, ours among them.

    All other models take any size, and most of them refuse the argument.
    """
    config = get_pretrained_cfg(wish.name)
    return {"img_size": wish.image_size} if config is not None and config.fixed_input_size else {}


def _refusal(wish: ModelWish, error: Exception) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in wish.args.items()) or "none"
    return (
        f"model.args: {wish.name} cannot be built for images of {size_text(wish.image_size)} with args {given} "
        f"({_said(error)})"
    )


def _short(wish: ModelWish, lack: str) -> str:
    return (
        f"model: there is too little memory for {wish.name} and images of {size_text(wish.image_size)} ({lack}). Make "
        "some free, or choose a smaller network (model.name, model.args) or smaller images"
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@contextmanager
def _offline_said(wish: ModelWish) -> Iterator[None]:
    """Turn a hub that does not answer into an error with a remedy."""
    try:
        yield
    except OSError as error:
        if wish.pretrained is not True:
            raise
        raise RecipeError(
            f"model.pretrained: timm's weights of {wish.name} are not on this machine and could not be fetched from "
            f"the hub ({_said(error)}). Without them: --set model.pretrained=false (random weights). With a file that "
            "was fetched where there is a network: --set model.pretrained=path/to/model.safetensors"
        ) from error


def _try_forward(model: nn.Module, wish: ModelWish) -> list[str]:
    shape = (2, wish.in_chans, *wish.image_size)
    try:
        with torch.no_grad():
            logits = model.eval()(torch.zeros(shape))
    except _REFUSALS as error:
        lack = lack_of_memory(error)
        return [_short(wish, lack) if lack else _unreadable(wish, error)]
    expected = (2, wish.num_classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        return [f"model: {wish.name} was expected to give logits of shape {expected} for two images, got {got}"]
    return []


def _unreadable(wish: ModelWish, error: Exception) -> str:
    config = get_pretrained_cfg(wish.name)
    own = "" if config is None else f"; the model's own is {size_text(config.input_size[1:])}"
    return (
        f"data.image_size: {wish.name} cannot read images of {size_text(wish.image_size)} "
        f"({_said(error)}). Choose another size{own}"
    )
