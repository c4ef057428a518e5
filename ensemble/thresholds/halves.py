"""Exact thresholds of random halves, averaged: what one half happens to prefer, the other does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.cuts import rank_class
from ensemble.thresholds.exact import exact_thresholds


@dataclass(frozen=True)
class HalvesThresholds:
    """Per class: split the rows in halves, find each half's exact threshold, take the mean; repeat.

    Groups stay whole, and units (groups, else rows) with a positive are divided evenly. The mean is taken over the
    share of the fitting rows that each threshold selects. A half without a positive says nothing and is left out; a
    class with one unit that has positives gets its exact threshold, one without a labelled positive 2.0, none.

    Attributes:
        repeats: How many random divisions.
        beta: Of F-beta.
    """

    repeats: int = 1
    beta: float = 1.0

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        units = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
        seeds = [int(rng.integers(2**63)) for _ in range(labels.shape[1])]
        return np.array(
            [
                self._fit_class(labels[:, column], probabilities[:, column], units, np.random.default_rng(seed))
                for column, seed in enumerate(seeds)
            ],
            dtype=np.float64,
        )

    def _fit_class(
        self,
        labels: NDArray[np.float64],
        scores: NDArray[Any],
        units: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> float:
        labelled = ~np.isnan(labels)
        labels, scores, units = labels[labelled], scores[labelled], units[labelled]
        ranked = rank_class(labels, scores)
        if ranked.forced is not None:
            return ranked.forced
        counts: list[int] = []
        for _ in range(self.repeats):
            first = stratified_half(labels == 1, units, rng)
            for half in (first, ~first):
                if (labels[half] == 1).any():
                    best = exact_thresholds(labels[half, None], scores[half, None], beta=self.beta)
                    counts.append(ranked.selected(float(best[0])))
        return ranked.threshold_selecting(float(np.mean(counts)))


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
