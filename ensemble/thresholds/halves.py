"""Exact thresholds of random halves, averaged: what one half happens to prefer, the other does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import RankedClass, choose_thresholds, midpoint


@dataclass(frozen=True)
class HalvesThresholds:
    """Per class: split the rows in halves, find each half's exact threshold, take the mean; repeat.

    Groups stay whole, and units (groups, else rows) with a positive are divided evenly. The mean is the geometric one
    of the numbers of fitting rows that the thresholds select. A half without a positive says nothing and is left out; a
    class with one unit that has positives gets its exact threshold, one without a labelled positive 2.0, none, one
    without a labelled negative 0.0, all.

    Attributes:
        repeats: How many random divisions.
        beta: Of F-beta.
    """

    repeats: int = 5
    beta: float = 1.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        return choose_thresholds(self, labels, probabilities, groups, rng)

    def counts(self, ranked: Sequence[RankedClass], rng: np.random.Generator) -> NDArray[np.float64]:
        """See ``CountRule``."""
        return np.array([np.exp(np.log(self._counts(one, rng)).mean()) for one in ranked])

    def _counts(self, one: RankedClass, rng: np.random.Generator) -> NDArray[np.float64]:
        """How many of all rows each half's threshold selects."""
        first = stratified_halves(one.positive, one.units, self.repeats, rng)
        halves = np.stack([first, ~first], axis=1).reshape(-1, len(one.positive))
        halves = halves[(halves & one.positive).any(axis=1)]
        return np.array([_count(one, *found) for found in _best_cuts(one, halves, self.beta)], dtype=np.float64)


def _best_cuts(one: RankedClass, halves: NDArray[np.bool_], beta: float) -> list[tuple[int, int | None]]:
    """The best cut of each half, and the next cut below that selects more of its rows (None: it selects all of them).

    Cuts are given as positions in ``one.ends``; of equals the highest.
    """
    from_top, at = halves[:, ::-1], one.ends - 1
    hits = np.cumsum(from_top & one.positive[::-1], axis=1, dtype=np.int32)[:, at].astype(np.float64)
    selected = np.cumsum(from_top, axis=1, dtype=np.int32)[:, at]
    scores = (1.0 + beta**2) * hits / (selected + beta**2 * hits[:, -1:])
    cuts: list[tuple[int, int | None]] = []
    for best, counts in zip(np.argmax(scores, axis=1).tolist(), selected, strict=True):
        below = int(np.searchsorted(counts, counts[best], side="right"))
        cuts.append((best, below if below < len(counts) else None))
    return cuts


def _count(one: RankedClass, best: int, below: int | None) -> int:
    """How many rows lie above the middle between the scores at two cuts."""
    if below is None:
        return len(one.scores)
    upper, lower = (float(one.scores[-one.ends[cut]]) for cut in (best, below))
    return one.selected(midpoint(lower, upper))


def stratified_halves(
    positive: NDArray[np.bool_], units: NDArray[np.intp], repeats: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Halves of the rows at random, units whole, those with a positive divided evenly.

    Args:
        positive: Shape (n,).
        units: Shape (n,), numbers >= 0: rows with the same one stay together.
        repeats: How many halves.
        rng: The only source of chance.

    Returns:
        Shape (repeats, n), bool. All rows where only one unit has a positive, so that nothing is lost.
    """
    codes = (np.cumsum(np.bincount(units) > 0) - 1)[units]
    with_positive = np.bincount(codes, weights=positive) > 0
    n_positive = np.count_nonzero(with_positive)
    halves = np.ones((repeats, len(positive)), dtype=np.bool_)
    if n_positive < 2:
        return halves
    by_kind = np.argsort(~with_positive, kind="stable")  # units with a positive first
    place = np.empty(len(by_kind), dtype=np.intp)
    for half in halves:
        place[by_kind[:n_positive]] = rng.permutation(n_positive)
        place[by_kind[n_positive:]] = rng.permutation(len(by_kind) - n_positive) + n_positive
        half[:] = (place % 2 == 0)[codes]
    return halves
