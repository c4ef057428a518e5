"""The inner slice that early stopping watches: as near to the asked share as whole groups allow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import RecipeError, many
from ensemble.folds import stratified_group_folds

SHARE_TOLERANCE = 0.25
"""How far the planned share may be from the asked one, as a part of that."""

# More parts than these are made only where the asked share is smaller than one of them.
_MOST_PARTS = 20
_KEY = "training.early_stopping.inner_fraction"


@dataclass(frozen=True)
class Parts:
    """The training rows are divided evenly into ``total`` parts, and ``watched`` of these are the slice."""

    watched: int
    total: int

    @property
    def share(self) -> float:
        """Of the training rows, if the parts are even."""
        return self.watched / self.total


def plan_parts(fraction: float, n_units: int, *, unit: str, where: str) -> Parts:
    """The parts whose share is nearest to ``fraction``; of equally near ones the fewest.

    Args:
        fraction: ``training.early_stopping.inner_fraction``.
        n_units: How many groups (images, without groups) there are to divide.
        unit: What one is called: ``group`` or ``image``.
        where: Of which rows they are, for the message.

    Raises:
        RecipeError: So few units cannot come within ``SHARE_TOLERANCE`` of the fraction.
    """
    totals = {*range(2, min(_MOST_PARTS, n_units) + 1), *({round(1 / fraction)} if fraction * n_units >= 1 else ())}
    parts = [Parts(min(total - 1, max(1, round(fraction * total))), total) for total in sorted(totals)]
    nearest = min(parts, key=lambda one: (round(abs(one.share - fraction), 12), one.total), default=None)
    if nearest is None or abs(nearest.share - fraction) > SHARE_TOLERANCE * fraction:
        raise RecipeError(_too_few(fraction, n_units, unit, where))
    return nearest


def _too_few(fraction: float, n_units: int, unit: str, where: str) -> str:
    said = f"{_KEY} is {fraction:g}, but {where} there {'is' if n_units == 1 else 'are'} only {many(n_units, unit)}"
    if n_units < 2:
        return f"{said}, and both the slice and the training rows need one: leave training.early_stopping out"
    least = math.ceil(100 / n_units) / 100
    return (
        f"{said}, of which none is split: the least share is 1/{n_units}. Set it to {least:g} or more, or leave "
        "training.early_stopping out"
    )


def inner_slice(
    labels: NDArray[np.float64],
    groups: NDArray[np.str_] | None,
    training: NDArray[np.bool_],
    *,
    fraction: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Shape (N,): the rows that early stopping watches; none of their groups is trained on.

    Args:
        labels: Shape (N, C), 0, 1 or NaN.
        groups: Shape (N,), what must not be split; None: nothing.
        training: Shape (N,): the rows outside the held-out fold.
        fraction: The asked share of these.
        seed: Which rows these are.

    Raises:
        RecipeError: There are too few groups, or images, for such a share.
    """
    kept = None if groups is None else groups[training]
    n_units, unit = count_units(groups, training)
    parts = plan_parts(fraction, n_units, unit=unit, where="outside the fold")
    owners = stratified_group_folds(labels[training], kept, n_folds=parts.total, seed=seed)
    # Groups of unequal sizes make unequal parts: of all runs of neighbours, the one that comes nearest, if it can be
    # watched: where labels are few, some have none.
    slices = [(owners - first) % parts.total < parts.watched for first in range(parts.total)]
    inner = np.zeros(len(training), dtype=bool)
    labelled = (~np.isnan(labels[training])).sum(axis=1) > 0
    inner[training] = min(slices, key=lambda one: (not labelled[one].any(), abs(float(one.mean()) - fraction)))
    return inner


def count_units(groups: NDArray[np.str_] | None, training: NDArray[np.bool_]) -> tuple[int, str]:
    """How many groups (images, where ``groups`` is None) the rows of ``training`` are, and what one is called."""
    return (int(training.sum()), "image") if groups is None else (len(np.unique(groups[training])), "group")
