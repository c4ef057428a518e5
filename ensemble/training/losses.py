"""Multi-label losses by name: which there are, what each of them takes, and how it is built for a fold.

All take float32 logits and labels of shape (B, C), NaN for "not labelled", and return a scalar mean. timm's losses are
timm's code. Those that look at one entry at a time leave missing labels out; those that compare entries with one
another cannot, and refuse them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import timm.loss
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.errors import RecipeError
from ensemble.training.loss_functions import MaskedMean, Mixture, SoftF1, SoftmaxCrossEntropy

PositiveWeight = Literal["none", "balanced"] | Sequence[float]

_NO_ARGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Argument:
    """What one argument of a loss may be, in words and as a test."""

    wanted: str
    fits: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


_NUMBER = _Argument("a number", _is_number)
_NOT_NEGATIVE = _Argument("a number of 0 or more", lambda value: _is_number(value) and value >= 0)
_ABOVE_ZERO = _Argument("a number above 0", lambda value: _is_number(value) and value > 0)
_SHARE = _Argument("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
_BELOW_ONE = _Argument("a number from 0 to less than 1", lambda value: _is_number(value) and 0 <= value < 1)
# The gradient of x^gamma at x = 0 is infinite for gamma between 0 and 1: one sure answer, and all weights are NaN.
_FOCUS = _Argument("0, or a number of 1 or more", lambda value: _is_number(value) and (value == 0 or value >= 1))
_FLAG = _Argument("true or false", lambda value: isinstance(value, bool))


@dataclass(frozen=True)
class _Ingredients:
    """What a loss is built from.

    Attributes:
        args: Checked already.
        labels: Shape (N, C), of the training rows.
        positive_weight: Shape (C,), or None.
    """

    args: Mapping[str, Any]
    labels: NDArray[np.float32]
    positive_weight: torch.Tensor | None


@dataclass(frozen=True)
class _Kind:
    """One loss.

    Attributes:
        build: Makes it.
        args: What may stand under ``loss.args``.
        masks: It leaves missing labels out.
        weighs_positives: It takes ``loss.pos_weight``.
    """

    build: Callable[[_Ingredients], nn.Module]
    args: Mapping[str, _Argument] = field(default_factory=dict)
    masks: bool = False
    weighs_positives: bool = False


def _bce(given: _Ingredients) -> nn.Module:
    smoothing = given.args.get("smoothing", 0.0)
    return MaskedMean(
        timm.loss.BinaryCrossEntropy(
            smoothing=smoothing, smooth_dense=True, reduction="none", pos_weight=given.positive_weight
        )
    )


def _asl(given: _Ingredients) -> nn.Module:
    return MaskedMean(timm.loss.AsymmetricLossMultiLabel(reduction="none", **given.args))


def _poly(given: _Ingredients) -> nn.Module:
    return MaskedMean(timm.loss.PolyBinaryCrossEntropy(reduction="none", **given.args))


def _db(given: _Ingredients) -> nn.Module:
    counts = given.labels.sum(axis=0, dtype=np.float64)
    loss: nn.Module = timm.loss.DistributionBalancedLoss(
        torch.from_numpy(counts), len(given.labels), reduction="mean", **given.args
    )
    return loss


def _bce_soft_f1(given: _Ingredients) -> nn.Module:
    return Mixture(_bce(given), SoftF1(), fraction=given.args.get("soft_f1_fraction", 0.5))


_KINDS: Mapping[str, _Kind] = {
    "bce": _Kind(_bce, {"smoothing": _BELOW_ONE}, masks=True, weighs_positives=True),
    "cross_entropy": _Kind(lambda _: SoftmaxCrossEntropy()),
    "asl": _Kind(
        _asl,
        {
            "gamma_neg": _FOCUS,
            "gamma_pos": _FOCUS,
            "clip": _BELOW_ONE,
            "disable_torch_grad_focal_loss": _FLAG,
            "smoothing": _BELOW_ONE,
        },
        masks=True,
    ),
    "poly": _Kind(_poly, {"epsilon": _NUMBER, "gamma": _FOCUS, "alpha": _SHARE, "smoothing": _BELOW_ONE}, masks=True),
    "twoway": _Kind(lambda given: timm.loss.TwoWayLoss(**given.args), {"tp": _ABOVE_ZERO, "tn": _ABOVE_ZERO}),
    "zlpr": _Kind(lambda _: timm.loss.ZlprLoss()),
    "db": _Kind(
        _db,
        {
            "map_alpha": _NOT_NEGATIVE,
            "map_beta": _NUMBER,
            "map_mu": _NUMBER,
            "neg_scale": _ABOVE_ZERO,
            "init_bias": _NUMBER,
            "focal_gamma": _FOCUS,
            "focal_balance": _ABOVE_ZERO,
            "smoothing": _BELOW_ONE,
        },
    ),
    "soft_f1": _Kind(lambda _: SoftF1(), masks=True),
    "bce_soft_f1": _Kind(
        _bce_soft_f1, {"soft_f1_fraction": _SHARE, "smoothing": _BELOW_ONE}, masks=True, weighs_positives=True
    ),
}


def loss_names(*, masking: bool = False) -> tuple[str, ...]:
    """Names of all losses; with ``masking`` of those that leave missing labels out."""
    return tuple(name for name, kind in _KINDS.items() if kind.masks or not masking)


def build_loss(
    name: str,
    *,
    pos_weight: PositiveWeight = "none",
    labels: NDArray[np.float32],
    args: Mapping[str, Any] = _NO_ARGS,
) -> nn.Module:
    """The loss called ``name``.

    Args:
        name: One of :func:`loss_names`.
        pos_weight: ``none``; ``balanced``: negatives / positives of each class among the training rows; or C numbers.
            Only ``bce`` and ``bce_soft_f1`` take it.
        labels: Shape (N, C), the training rows' labels (NaN = not labelled), for ``balanced`` and for the class
            frequencies of ``db``.
        args: Of the loss itself.

    Raises:
        RecipeError: Listing everything that is wrong: no such loss, arguments or weights that it does not take, or
            missing labels that it cannot leave out.
    """
    problems = loss_problems(name, pos_weight=pos_weight, labels=labels, args=args)
    if problems:
        raise RecipeError.gather("the loss cannot be built", problems)
    return _KINDS[name].build(_Ingredients(args, labels, _positive_weight(pos_weight, labels)))


def loss_problems(
    name: str, *, pos_weight: PositiveWeight, labels: NDArray[np.float32], args: Mapping[str, Any]
) -> list[str]:
    """What :func:`build_loss` would say against these arguments, a sentence each; empty if nothing."""
    kind = _KINDS.get(name)
    if kind is None:
        return [f"loss.name: expected one of {', '.join(_KINDS)}, got {name!r}"]
    return [
        *_odd_args(name, kind, args),
        *_odd_weight(name, kind, pos_weight, labels.shape[1]),
        *_odd_labels(name, kind, labels),
    ]


def _odd_args(name: str, kind: _Kind, args: Mapping[str, Any]) -> list[str]:
    known = ", ".join(kind.args)
    problems = []
    for key, value in args.items():
        if key not in kind.args:
            close = get_close_matches(key, kind.args, n=1)
            takes = f"it takes {known}" if known else "it takes no arguments"
            meant = f"; did you mean {close[0]!r}?" if close else ""
            problems.append(f"loss.args.{key}: {name} does not take this argument; {takes}{meant}")
        elif not kind.args[key].fits(value):
            problems.append(f"loss.args.{key}: expected {kind.args[key].wanted}, got {value!r}")
    return problems


def _odd_weight(name: str, kind: _Kind, wanted: PositiveWeight, n_classes: int) -> list[str]:
    if isinstance(wanted, str) and wanted == "none":
        return []
    if not kind.weighs_positives:
        able = ", ".join(other for other, it in _KINDS.items() if it.weighs_positives)
        return [f"loss.pos_weight: {name} does not take it, only {able} do; set it to none, or choose one of these"]
    if not isinstance(wanted, str) and len(wanted) != n_classes:
        return [f"loss.pos_weight: expected one number for each of the {n_classes} classes, got {len(wanted)}"]
    return []


def _odd_labels(name: str, kind: _Kind, labels: NDArray[np.float32]) -> list[str]:
    missing = np.isnan(labels)
    if not kind.masks and missing.any():
        classes = ", ".join(str(number + 1) for number in np.flatnonzero(missing.any(axis=0)))
        said = (
            f"loss.name: {name} compares labels with one another and cannot leave missing ones out, and "
            f"{int(missing.sum()):,} of the training rows' {missing.size:,} labels are missing, in "
            f"{int(missing.any(axis=1).sum()):,} rows (class number {classes}). "
            f"Losses that leave them out: {', '.join(loss_names(masking=True))}"
        )
        return [said]
    if name == "db" and len(labels) < 2:
        return [f"loss.name: db needs at least 2 training rows for its class frequencies, got {len(labels)}"]
    return []


def _positive_weight(wanted: PositiveWeight, labels: NDArray[np.float32]) -> torch.Tensor | None:
    if isinstance(wanted, str):
        return None if wanted == "none" else torch.from_numpy(balanced_weights(labels))
    return torch.tensor(list(wanted), dtype=torch.float32)


def balanced_weights(labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Negatives / positives of each class, shape (C,); 1 where a class has no positive or no negative."""
    positives = np.nansum(labels, axis=0)
    negatives = (~np.isnan(labels)).sum(axis=0) - positives
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((positives > 0) & (negatives > 0), negatives / positives, 1.0)
    return ratio.astype(np.float32)
