"""Optimizer, learning-rate schedule and moving average: timm's, by name."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import timm.optim
import torch
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from ensemble.errors import RecipeError, many

# These have a fused step on CPU and CUDA: one pass over the weights instead of one a term.
_FUSED = frozenset({"adam", "adamw", "momentum", "sgd"})
# What constructors raise on settings that they cannot use, or without the hardware or package that they need.
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError, ImportError)
# By the first letters of their names.
_UNFIT = {
    "adahessian": "it needs second derivatives, which the training loop does not compute",
    "kron": "it draws random numbers that no checkpoint holds, so an interrupted fold would not go on as it was",
}


def build_optimizer(
    model: nn.Module, name: str, *, lr: float, weight_decay: float, args: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """The timm optimizer called ``name`` over the model's trainable weights.

    Raises:
        RecipeError: timm has no such optimizer, it does not fit the training loop, or it does not take ``args``.
    """
    known = timm.optim.list_optimizers()
    if name not in known:
        raise RecipeError(f"optimizer.name: timm has no optimizer {name!r}; some that it has: adam, adamw, sgd, nadamw")
    for beginning, reason in _UNFIT.items():
        if name.startswith(beginning):
            raise RecipeError(f"optimizer.name: {name} cannot be used: {reason}")
    extra = {"fused": True, **args} if name in _FUSED else dict(args)
    try:
        optimizer: torch.optim.Optimizer = timm.optim.create_optimizer_v2(
            model, opt=name, lr=lr, weight_decay=weight_decay, **extra
        )
    except _REFUSALS as error:
        reason = str(error) or type(error).__name__
        raise RecipeError(f"optimizer {name!r} does not take these settings: {reason}") from error
    return optimizer


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every update.

    Attributes:
        warmup_updates: Updates over which it climbs.
        notice: What was changed of the recipe's wish, or empty.
        parts: The first update of each part of the run, and the number of all updates. Each part has the whole course
            of the rate, as much faster as it is shorter.
    """

    optimizer: torch.optim.Optimizer
    scheduler: CosineLRScheduler
    warmup_updates: int
    notice: str
    parts: tuple[int, ...]

    def set_for(self, update: int) -> None:
        """Set the learning rate for the update with this number, from 0."""
        begin, end = self.part_of(update)
        # Of a single part nothing is moved, not even by rounding.
        self.scheduler.step_update(
            update if len(self.parts) == 2 else (update - begin) * self.parts[-1] / (end - begin)
        )

    def part_of(self, update: int) -> tuple[int, int]:
        """The first update of the part that ``update``, from 0, is in, and of the next one."""
        place = min(bisect_right(self.parts, update), len(self.parts) - 1)
        return self.parts[place - 1], self.parts[place]

    def divided(self, begins: Sequence[int]) -> Schedule:
        """The same with several parts, by the first update of each; that of the first is 0."""
        return replace(self, parts=(*begins, self.parts[-1]))

    def learning_rate(self) -> float:
        """Now; the largest, where the parameter groups have different ones (``layer_decay``)."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)


def build_schedule(
    optimizer: torch.optim.Optimizer,
    name: str,
    *,
    updates_per_epoch: int,
    epochs: int,
    warmup_epochs: float,
    min_lr: float,
) -> Schedule:
    """A warm-up from near zero, then ``cosine`` down to ``min_lr``, or ``none``: a constant rate.

    A warm-up that is not shorter than the run is cut to half of it: the full rate would never be reached.
    """
    total = max(1, updates_per_epoch * epochs)
    warmup = round(warmup_epochs * updates_per_epoch)
    notice = ""
    if warmup >= total:
        warmup = total // 2
        wished = f"schedule.warmup_epochs {warmup_epochs:g} is not shorter than the run (training.epochs {epochs})"
        notice = f"{wished}: cut to {many(warmup, 'update')}"
    base = float(optimizer.param_groups[0]["lr"])
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=max(2, total - warmup),  # of a single update timm complains; its rate is the full one either way
        lr_min=min_lr if name == "cosine" else base,
        warmup_t=warmup,
        warmup_lr_init=base / (warmup + 1),
        warmup_prefix=True,
        cycle_limit=1,
        t_in_epochs=False,
    )
    return Schedule(optimizer, scheduler, warmup, notice, (0, total))


def build_ema(model: nn.Module, decay: float | None) -> ModelEmaV3 | None:
    """The moving average of the weights, warmed up; None where the recipe has none.

    With timm's default of no warm-up, 500 updates at a decay of 0.9999 leave 95 % of the untrained weights in it.
    """
    return None if decay is None else MovingAverage(model, decay=decay, use_warmup=True)


class MovingAverage(ModelEmaV3):  # type: ignore[misc] # timm has no types for it
    """timm's, of one model whose tensors are looked up once: on a GPU that takes longer than to average them.

    ``update`` is to be called with that model always; its weights may be loaded anew, but not replaced.
    """

    _pairs: tuple[list[torch.Tensor], ...] = ()

    def apply_update_(self, model: nn.Module, decay: float) -> None:
        """Average what has fractions, copy what counts."""
        if not self._pairs:
            ours, theirs = (one.state_dict(keep_vars=True).values() for one in (self.module, model))
            together = list(zip(ours, theirs, strict=True))
            averaged = [pair for pair in together if pair[0].is_floating_point()]
            copied = [pair for pair in together if not pair[0].is_floating_point()]
            self._pairs = tuple([pair[side] for pair in kind] for kind in (averaged, copied) for side in (0, 1))
        averages, values, copies, counts = self._pairs
        self._foreach_lerp_(averages, values, weight=1.0 - decay)
        if copies:
            torch._foreach_copy_(copies, counts)


def updates_in_epoch(n_batches: int, accumulation_steps: int) -> int:
    """Optimizer updates an epoch; a last, shorter group of batches makes one too."""
    return math.ceil(n_batches / accumulation_steps)
