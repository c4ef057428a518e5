"""What a class's score does as its threshold moves: evaluation fills it, report draws it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Move:
    """A threshold that was moved.

    Attributes:
        title: How, for people: ``"−0.5 logit"``.
        threshold: Where it is then.
        lost: F at the final threshold less F there; negative: it is higher there.
    """

    title: str
    threshold: float
    lost: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """Rows in bins of about equally many, lowest probabilities first; R bins.

    Attributes:
        predicted: Shape (R,), float64: mean probability in the bin.
        observed: Shape (R,), float64: share of its rows that are positive.
        low: Shape (R,), float64: lower end of Wilson's 95 % interval of that share, by group.
        high: Shape (R,), float64: its upper end.
        counts: Shape (R,), int64: rows.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """One class of the blend, in sample, cut at every threshold of a grid; no label rules are applied.

    Attributes:
        name: The class.
        beta: Of F; 1: F1.
        cuts: Shape (P,), float64, ascending, inside (0, 1): thresholds, evenly spread in logits.
        f: Shape (P,), float64: F-beta.
        precision: Shape (P,), float64; NaN where nothing is called positive. Likewise ``recall``, ``specificity``.
        recall: See there.
        specificity: See there.
        threshold: The final one.
        f_at_threshold: F there.
        best: The highest F of all thresholds.
        best_threshold: The highest threshold that reaches it.
        plateau: Every threshold above the first number, up to and including the second, keeps F within ``slack`` of the
            best; around the best one, without gaps.
        slack: How far below the best the plateau goes.
        fold_thresholds: K numbers, one for each held-out fold.
        moves: How much F is lost as the final threshold moves; empty where it calls all or none.
        reliability: Of the probabilities.
        band: Shape (2, P), float64: the middle 95 % of F at each cut over resamples; empty, (2, 0): not computed.
    """

    name: str
    beta: float
    cuts: NDArray[np.float64]
    f: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    specificity: NDArray[np.float64]
    threshold: float
    f_at_threshold: float
    best: float
    best_threshold: float
    plateau: tuple[float, float]
    slack: float
    fold_thresholds: tuple[float, ...]
    moves: tuple[Move, ...]
    reliability: Reliability
    band: NDArray[np.float64] = field(default_factory=lambda: np.empty((2, 0)))
