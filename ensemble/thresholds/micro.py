r"""Thresholds for micro-F1: one for each class, and all of them for the counts pooled over classes.

.. math:: \text{micro-}F_1 = \frac{2 \sum_c TP_c}{\sum_c \text{selected}_c + \sum_c \text{positives}_c}

A ratio of sums is at least :math:`\lambda` iff :math:`\sum_c (2 TP_c - \lambda\,\text{selected}_c) \ge \lambda P`, and
that sum splits by class. So each step solves the classes alone for the present :math:`\lambda`, and their pooled score
is the next :math:`\lambda`; it rises until it is the largest that there is. All distinct cuts of all classes are in.

Source: Dinkelbach, On nonlinear fractional programming (Management Science 13, 1967), doi 10.1287/mnsc.13.7.492.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.calibration import Kind, calibrated
from ensemble.thresholds.cuts import RankedClass, rank_classes
from ensemble.thresholds.exact import NONE_POSITIVE


@dataclass(frozen=True)
class MicroThresholds:
    """One number per class, together the best in sample for micro-F1; of equals the highest thresholds."""

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities, groups)
        gained = [one.positive[::-1].astype(np.float64) for one in ranked]
        return _solve(ranked, gained)


@dataclass(frozen=True)
class MicroPlugIn:
    """One number per class: the best expected micro-F1 under a calibration. All cut at the same calibrated value.

    Attributes:
        kind: Platt's or the beta calibration.
    """

    kind: Kind = "beta"

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """See ``ThresholdRule``."""
        ranked = rank_classes(labels, probabilities, groups)
        usable = [one for one in ranked if one.forced is None]
        chances = iter(calibrated(usable, self.kind) if usable else ())
        gained = [
            next(chances)[::-1] if one.forced is None else one.positive[::-1].astype(np.float64) for one in ranked
        ]
        return _solve(ranked, gained)


def _solve(ranked: Sequence[RankedClass], gained: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The best cut of every class.

    Args:
        ranked: C classes.
        gained: For each, shape (n,): what selecting its rows, from the highest score down, adds to the true positives.
    """
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in gained]
    ends = [np.concatenate([[0], one.ends]) if len(one.scores) else np.zeros(1, np.int64) for one in ranked]
    n_positives = sum(float(part[-1]) for part in sums)
    goal, counts = -1.0, [0] * len(ranked)
    while n_positives:
        tried = [
            int(cuts[np.argmax(2.0 * hits[cuts] - max(goal, 0.0) * cuts)])
            for hits, cuts in zip(sums, ends, strict=True)
        ]
        hits_now = sum(float(hits[count]) for hits, count in zip(sums, tried, strict=True))
        score = 2.0 * hits_now / (sum(tried) + n_positives)
        if score <= goal:
            break
        goal, counts = score, tried
    return np.array(
        [one.threshold_selecting(count) if count else NONE_POSITIVE for one, count in zip(ranked, counts, strict=True)]
    )
