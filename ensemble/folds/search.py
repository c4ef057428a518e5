"""The search for even folds: a greedy start, then moves and swaps while they lower the objective (``placement``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.folds.block import Block
from ensemble.folds.placement import NEVER, Placement
from ensemble.folds.units import Units

_BLOCK = 256  # units whose swaps are priced together; up to twice as many make one block
_MOST_VISITS = 40_000


def place_groups(units: Units, order: NDArray[np.int64], *, n_folds: int) -> Placement:
    """Put one unit after the other where it is missed most; the first K units each open a fold."""
    placement = Placement(units, n_folds)
    for position, unit in enumerate(order.tolist()):
        prices = placement.prices(unit)
        if position < n_folds:
            prices[placement.members > 0] = NEVER
        placement.put(unit, int(np.argmin(prices)))
    return placement


def place_leftovers(units: Units, order: NDArray[np.int64], *, n_folds: int) -> Placement:
    """As ``place_groups`` for units with ``kinds``, fewer than K of each, which stand together in ``order``.

    A kind goes to the folds with the fewest units, and to others only once all those have one of it. So no fold has two
    of a kind, and no two folds ever differ by more than one unit.
    """
    kinds = np.zeros(len(units), dtype=np.int64) if units.kinds is None else units.kinds
    placement = Placement(units, n_folds)
    taken = np.zeros(n_folds, dtype=bool)
    kind, level = -1, 0
    for unit in order.tolist():
        if kinds[unit] != kind:
            kind, level = kinds[unit], placement.members.min()
            taken[:] = False
        prices = placement.prices(unit)
        closed = taken | (placement.members > level)
        prices[taken if closed.all() else closed] = NEVER
        fold = int(np.argmin(prices))
        taken[fold] = True
        placement.put(unit, fold)
    return placement


def improve(placement: Placement, rng: np.random.Generator, *, rounds: int, kicks: int) -> None:
    """Lower the objective: sweeps of single moves, then moves and swaps within blocks of units.

    Args:
        placement: Changed in place.
        rng: Draws orders, blocks and kicks.
        rounds: How often, at most, all units are swept and cut into new blocks, where they are too many for a single
            block; fewer, but at least 2, if they are very many.
        kicks: How often, at most, the local optimum of a single block is disturbed in the hope of a better one; fewer
            if it has few units.
    """
    n_units = len(placement.units)
    if n_units <= 2 * _BLOCK:
        Block(placement, np.arange(n_units)).run(rng, kicks=min(kicks, 10 * n_units))
        return
    for _ in range(min(rounds, max(2, _MOST_VISITS // n_units))):
        if placement.units.kinds is None:
            _sweep(placement, rng)
        for chosen in np.array_split(rng.permutation(n_units), -(-n_units // _BLOCK)):
            Block(placement, chosen).run(rng, kicks=0)


def _sweep(placement: Placement, rng: np.random.Generator) -> None:
    """Move each unit in turn to its cheapest fold; none is emptied."""
    for unit in rng.permutation(len(placement.units)).tolist():
        here = placement.folds[unit]
        prices = placement.prices(unit)
        prices[here] -= placement.self_price(unit)
        fold = int(np.argmin(prices))
        if prices[fold] < prices[here] and placement.members[here] > 1:
            placement.put(unit, fold)
