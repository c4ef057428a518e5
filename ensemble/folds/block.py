"""All moves and swaps among a block of units, priced by matrices that each step updates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.folds.placement import NEVER, Placement

_KICK_SWAPS = 3


class Block:
    """B units that may move and change places, while all others stay where they are.

    Attributes:
        chosen: Shape (B,), int64: which units.
        gram: Shape (B, B), float64: ``K x_u' A x_v``, by how much moving v changes the prices of u.
        prices: Shape (B, K), float64: ``S_uk``.
        folds: Shape (B,), int64.
        members: Shape (K,), int64: the units of each fold, those outside the block too.
        closed: Shape (B, K), bool: the folds where another of the unit's kind is, and its own.
    """

    def __init__(self, placement: Placement, chosen: NDArray[np.int64]) -> None:
        units = placement.units
        counts, weighted, active = units.dense(chosen)
        self.placement = placement
        self.chosen = chosen
        self.gram = placement.n_folds * (weighted @ counts.T)
        self.own = np.diag(self.gram).copy()
        self.swap_base = self.own[:, None] + self.own - 2 * self.gram
        self.prices = weighted @ placement.deviations[active]
        self.folds = placement.folds[chosen]
        self.members = placement.members.copy()
        self.kinds: NDArray[np.int64] | None = None
        self.closed = np.zeros(self.prices.shape, dtype=bool)
        if units.kinds is not None:
            self.kinds = units.kinds[chosen]
            taken = np.zeros((units.kinds.max() + 1, placement.n_folds), dtype=bool)
            taken[units.kinds, placement.folds] = True
            self.closed = taken[self.kinds]

    def run(self, rng: np.random.Generator, *, kicks: int) -> None:
        """Descend to a local optimum; kick it and descend again, keeping what is better; write it to the placement."""
        self.descend()
        for _ in range(kicks):
            saved = self.prices.copy(), self.folds.copy(), self.members.copy(), self.closed.copy()
            if self.kick(rng) + self.descend() >= 0:
                self.prices, self.folds, self.members, self.closed = saved
        for position in np.flatnonzero(self.folds != self.placement.folds[self.chosen]).tolist():
            self.placement.put(int(self.chosen[position]), int(self.folds[position]))

    def descend(self) -> float:
        """Take the best move or swap until none helps; return the change of the objective over 2 K."""
        change = 0.0
        while (step := self.best_step()) < 0:
            change += step
        return change

    def best_step(self) -> float:
        """Take the best move or swap if it lowers the objective; return the change over 2 K, else 0."""
        here = self.prices[np.arange(len(self.folds)), self.folds]
        gains = self.prices - here[:, None]
        gains[self.closed] = NEVER
        moves = gains + self.own[:, None]
        moves[self.immovable()] = NEVER
        entering = gains[:, self.folds]
        swaps = entering + entering.T
        swaps += self.swap_base
        move, swap = int(np.argmin(moves)), int(np.argmin(swaps))
        change = float(min(moves.flat[move], swaps.flat[swap]))
        if change >= 0:
            return 0.0
        if moves.flat[move] == change:
            self.take(*divmod(move, moves.shape[1]))
        else:
            self.swap(*divmod(swap, len(self.folds)))
        return change

    def immovable(self) -> NDArray[np.bool_]:
        """Shape (B, K): moves that lead nowhere, empty a fold, or unbalance the numbers of leftover images."""
        left = self.members[self.folds][:, None]
        if self.kinds is not None:
            return np.asarray(left <= self.members)
        return np.asarray((left == 1) | (self.folds[:, None] == np.arange(len(self.members))))

    def take(self, unit: int, fold: int) -> None:
        """Move ``unit`` to ``fold``."""
        old = int(self.folds[unit])
        self.prices[:, old] -= self.gram[:, unit]
        self.prices[:, fold] += self.gram[:, unit]
        self.members[[old, fold]] += [-1, 1]
        self.folds[unit] = fold
        if self.kinds is not None:
            same = self.kinds == self.kinds[unit]
            self.closed[same, old] = False
            self.closed[same, fold] = True

    def swap(self, one: int, other: int) -> None:
        """Let two units change places."""
        fold_of_one, fold_of_other = int(self.folds[one]), int(self.folds[other])
        self.take(one, fold_of_other)
        self.take(other, fold_of_one)

    def kick(self, rng: np.random.Generator) -> float:
        """Swap a few random pairs that may be swapped; return the change of the objective over 2 K."""
        change = 0.0
        for one, other in rng.integers(len(self.folds), size=(_KICK_SWAPS, 2)).tolist():
            here, there = self.folds[one], self.folds[other]
            if here == there or self.closed[one, there] or self.closed[other, here]:
                continue
            change += float(self.prices[one, there] - self.prices[one, here] + self.swap_base[one, other])
            change += float(self.prices[other, here] - self.prices[other, there])
            self.swap(one, other)
        return change
