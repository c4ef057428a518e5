"""Exact thresholds of random halves, averaged: what one half happens to prefer, the other does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import RankedClass, choose_thresholds


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
        return np.array([np.exp(np.mean(np.log(list(self._counts(one, rng))))) for one in ranked])

    def _counts(self, one: RankedClass, rng: np.random.Generator) -> Iterator[int]:
        """How many of all rows each half's threshold selects."""
        for _ in range(self.repeats):
            first = stratified_half(one.positive, one.units, rng)
            for half in (first, ~first):
                if one.positive[half].any():
                    part = RankedClass(one.scores[half], one.positive[half], one.units[half])
                    yield one.selected(part.threshold_selecting(best_count(part, self.beta)))


def best_count(one: RankedClass, beta: float) -> int:
    """How many rows to select for the best F-beta on these rows, at least one of which is positive; the fewest."""
    hits = np.cumsum(one.positive[::-1])[one.ends - 1]
    scores = (1.0 + beta**2) * hits / (one.ends + beta**2 * hits[-1])
    return int(one.ends[int(np.argmax(scores))])


def stratified_half(
    positive: NDArray[np.bool_], units: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Half of the rows at random, units whole, those with a positive divided evenly.

    Args:
        positive: Shape (n,).
        units: Shape (n,), numbers >= 0: rows with the same one stay together.
        rng: The only source of chance.

    Returns:
        Shape (n,), bool. All rows where there is only one unit with a positive, so that nothing is lost.
    """
    present = np.bincount(units) > 0
    codes = (np.cumsum(present) - 1)[units]
    with_positive = np.bincount(codes, weights=positive) > 0
    if np.count_nonzero(with_positive) == 1:
        return np.ones(len(positive), dtype=np.bool_)
    order = rng.permutation(len(with_positive))
    order = order[np.argsort(~with_positive[order], kind="stable")]
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[::2]] = True
    return np.asarray(chosen[codes])
