"""Load a file of weights into a network whose channels and classes may be others than the file's."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from timm.models import adapt_input_conv
from torch import Tensor, nn

from ensemble.errors import ArtefactError, first_few
from ensemble.models.weight_files import read_weights

State = dict[str, Tensor]

# What timm's converters of foreign checkpoints raise on a checkpoint that is not one of theirs.
_NOT_CONVERTED = (KeyError, AttributeError, ValueError, RuntimeError, AssertionError, TypeError, IndexError)


@dataclass
class _Fit:
    """A state dict made to fit a model, as far as that goes.

    Attributes:
        state: Names and tensors for the model.
        optional: Names that may be missing.
        notices: What was changed, in words.
    """

    state: State
    optional: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Misfit:
    missing: list[str]
    unexpected: list[str]
    other_shape: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.other_shape)


def load_weights(model: nn.Module, path: Path, *, in_chans: int) -> list[str]:
    """Load the weights in ``path`` into ``model``, by timm's names.

    A first convolution for colour images is summed over its channels for a one-channel model, by timm's own rule: on
    grey images the sums are what the colour model computes, if mean and standard deviation are the same for all
    channels. A classifier for other classes is left out. If names or shapes still differ, timm's converter for this
    architecture has a try (position embeddings for another image size, names of the original authors).

    Args:
        model: A timm model, or one of ours. It is changed only if everything fits.
        path: ``.safetensors``, ``.pth`` or ``.pt``; bare, or wrapped as training scripts do.
        in_chans: Channels of the images that ``model`` takes.

    Returns:
        What was changed of the file's weights, in words.

    Raises:
        ArtefactError: The file cannot be read, or its weights do not fit.
    """
    state = read_weights(path)
    fit = _adapted(model, state, in_chans)
    misfit = _misfit(model, fit)
    if misfit:
        converted = _converted(model, state, in_chans)
        if converted is None:
            raise ArtefactError(_complaint(model, path, state, misfit))
        fit = converted
    model.load_state_dict(fit.state, strict=False)
    return [f"{path}: {notice}" for notice in fit.notices]


def _adapted(model: nn.Module, state: State, in_chans: int) -> _Fit:
    fit = _Fit(dict(state))
    own = model.state_dict()
    fit.optional |= {name for name in own if name.endswith("num_batches_tracked")}
    for layer in _layers(model, "first_conv"):
        _adapt_channels(fit, own, layer, in_chans)
    for layer in _layers(model, "classifier"):
        _adapt_classifier(fit, own, layer)
    return fit


def _layers(model: nn.Module, role: str) -> tuple[str, ...]:
    """Names of the layers that timm's description of the model gives this role."""
    names = getattr(model, "pretrained_cfg", {}).get(role) or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _adapt_channels(fit: _Fit, own: State, layer: str, in_chans: int) -> None:
    name = f"{layer}.weight"
    if name not in fit.state or name not in own or fit.state[name].shape == own[name].shape:
        return
    given = fit.state[name]
    try:
        adapted = adapt_input_conv(in_chans, given)
    except (NotImplementedError, AssertionError):
        return
    if adapted.shape != own[name].shape:
        return
    fit.state[name] = adapted
    fit.notices.append(f"{layer} was made for {given.shape[1]} channels and is adapted to {in_chans}")


def _adapt_classifier(fit: _Fit, own: State, layer: str) -> None:
    name = f"{layer}.weight"
    if name not in own:
        return
    given = fit.state.get(name)
    if given is not None and given.shape == own[name].shape:
        return
    names = {f"{layer}.weight", f"{layer}.bias"}
    fit.optional |= names
    for dropped in names & fit.state.keys():
        del fit.state[dropped]
    found = "is not in the file" if given is None else f"has shape {tuple(given.shape)} in the file"
    fit.notices.append(
        f"the classifier ({layer}) {found} and {tuple(own[name].shape)} here: it starts from random weights"
    )


def _misfit(model: nn.Module, fit: _Fit) -> _Misfit:
    own = model.state_dict()
    return _Misfit(
        missing=[name for name in own if name not in fit.state and name not in fit.optional],
        unexpected=[name for name in fit.state if name not in own],
        other_shape=[
            f"{name}: {tuple(fit.state[name].shape)} in the file, {tuple(tensor.shape)} in the model"
            for name, tensor in own.items()
            if name in fit.state and fit.state[name].shape != tensor.shape
        ],
    )


def _converted(model: nn.Module, state: State, in_chans: int) -> _Fit | None:
    """What timm's converter for this architecture makes of ``state``, if it has one and the result fits."""
    module = sys.modules[type(model).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    if convert is None:
        return None
    try:
        fit = _adapted(model, dict(convert(dict(state), model)), in_chans)
    except _NOT_CONVERTED:
        return None
    if _misfit(model, fit):
        return None
    fit.notices.append("names or shapes were converted by timm's rule for this architecture")
    return fit


def _complaint(model: nn.Module, path: Path, state: State, misfit: _Misfit) -> str:
    kinds = (
        ("missing in the file", misfit.missing),
        ("unknown to the model", misfit.unexpected),
        ("of another shape", misfit.other_shape),
    )
    counts = "; ".join(f"{len(names)} {kind}: {first_few(names)}" for kind, names in kinds if names)
    own = model.state_dict()
    name = getattr(model, "pretrained_cfg", {}).get("architecture") or type(model).__name__
    remedy = _remedy(name, list(state.values()), list(own.values()), same_names=not misfit.missing + misfit.unexpected)
    return f"{path}: its {len(state)} tensors do not fit {name}, which has {len(own)}. {counts}. {remedy}"


def _remedy(name: str, given: list[Tensor], own: list[Tensor], *, same_names: bool) -> str:
    if same_names:
        return (
            "The file comes from the same architecture with other settings: set model.args and data.image_size as there"
        )
    if _same_order(given, own):
        return (
            "Number, order and shapes agree, so the names alone differ: save it under timm's names, "
            f"torch.save(dict(zip(timm.create_model({name!r}).state_dict(), state.values())), FILE)"
        )
    return (
        "Expected timm's names for this architecture: set model.name to the architecture that the file is of, or "
        f"rename its tensors (timm.create_model({name!r}).state_dict() lists the names)"
    )


def _same_order(given: list[Tensor], own: list[Tensor]) -> bool:
    """Whether the tensors agree one by one, but for the three that channels and classes change."""
    if len(given) != len(own):
        return False
    differ = [a.shape != b.shape for a, b in zip(given, own, strict=True)]
    same_rank = all(a.ndim == b.ndim for a, b in zip(given, own, strict=True))
    return same_rank and sum(differ) <= 3
