r"""How each class's F depends on its threshold, in sample: where it is flat, where it falls, what a slip costs.

Every number is of counts at cuts of one sorted column: with n rows, P of them positive, a threshold that selects s rows
and h of the positives gives

.. math:: F_\beta = \frac{(1 + \beta^2) h}{s + \beta^2 P}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.curves import ClassCurve, Move
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.reliability import reliability
from ensemble.evaluation.rows import LabelledRows
from ensemble.thresholds.cuts import RankedClass, rank_classes

SLACK = 0.01
"""The plateau is where F is at most so much below its best."""
STEEP_MOVE = 0.25
"""A small slip, in logits: from 0.10 to 0.12, from 0.50 to 0.56."""
STEEP_LOSS = 0.05
"""What a small slip may cost before it is worth a warning."""
_POINTS = 160
_FURTHEST = 16.0
_LOGIT_MOVES = {"−0.5 logit": -0.5, "−0.25 logit": -0.25, "+0.25 logit": 0.25, "+0.5 logit": 0.5}
_RELATIVE_MOVES = {"−10 %": 0.9, "+10 %": 1.1}


def class_curves(
    class_names: Sequence[str],
    rows: LabelledRows,
    *,
    probabilities: NDArray[Any],
    fitted: CrossFit,
    thresholds: NDArray[np.float64],
    beta: float = 1.0,
) -> tuple[ClassCurve, ...]:
    """A curve of each class that has both positive and negative rows.

    Args:
        class_names: C names.
        rows: The N training rows.
        probabilities: Shape (N, C), in [0, 1]: of the blend fitted on all rows.
        fitted: For the thresholds of the folds.
        thresholds: Shape (C,), the final ones.
        beta: Of F.
    """
    curves = []
    for number, ranked in enumerate(rank_classes(rows.labels, probabilities, rows.groups)):
        if ranked.forced is None:
            folds, final = tuple(fitted.thresholds[:, number].tolist()), float(thresholds[number])
            curves.append(_curve(class_names[number], _Cuts(ranked, beta), threshold=final, folds=folds))
    return tuple(curves)


@dataclass(frozen=True, eq=False)
class _Cuts:
    ranked: RankedClass
    beta: float

    def counts(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positives at or above each threshold, and all rows there."""
        below = np.searchsorted(self.ranked.scores, thresholds)
        hits_below = np.concatenate([[0], np.cumsum(self.ranked.positive)])
        return self.ranked.n_positives - hits_below[below], len(self.ranked.scores) - below

    def f(self, hits: NDArray[Any], selected: NDArray[Any]) -> NDArray[np.float64]:
        return f_of_counts(hits, selected, self.ranked.n_positives, self.beta)

    def f_at(self, threshold: float) -> float:
        return float(self.f(*self.counts(np.array([threshold])))[0])


def f_of_counts(
    hits: NDArray[Any], selected: NDArray[Any], positives: NDArray[Any] | int, beta: float
) -> NDArray[np.float64]:
    """F-beta, elementwise; 0/0 = 0."""
    whole = selected + beta**2 * positives
    return np.asarray((1 + beta**2) * hits / np.where(whole > 0, whole, 1.0), dtype=np.float64)


def _curve(name: str, cuts: _Cuts, *, threshold: float, folds: tuple[float, ...]) -> ClassCurve:
    best, best_threshold, plateau = _best(cuts)
    ranked = cuts.ranked
    grid = _grid(ranked.scores[ranked.positive], [threshold, best_threshold, *folds])
    hits, selected = cuts.counts(grid)
    n_negatives = len(ranked.scores) - ranked.n_positives
    f_at_threshold = cuts.f_at(threshold)
    return ClassCurve(
        name=name,
        beta=cuts.beta,
        cuts=grid,
        f=cuts.f(hits, selected),
        precision=np.where(selected > 0, hits / np.maximum(selected, 1), np.nan),
        recall=hits / ranked.n_positives,
        specificity=1.0 - (selected - hits) / n_negatives,
        threshold=threshold,
        f_at_threshold=f_at_threshold,
        best=best,
        best_threshold=best_threshold,
        plateau=plateau,
        slack=SLACK,
        fold_thresholds=folds,
        moves=tuple(
            Move(title, moved, f_at_threshold - cuts.f_at(moved)) for title, moved in _moved(threshold).items()
        ),
        reliability=reliability(ranked),
    )


def _best(cuts: _Cuts) -> tuple[float, float, tuple[float, float]]:
    """The best F of all cuts, its highest threshold, and the thresholds around it that lose at most ``SLACK``."""
    ranked = cuts.ranked
    n, ends = len(ranked.scores), ranked.ends
    hits = np.cumsum(ranked.positive[::-1])[ends - 1]
    f = cuts.f(hits, ends)
    place = int(np.argmax(f))  # ends ascend: of equals the highest threshold
    low_enough = np.flatnonzero(f < f[place] - SLACK)
    first = int(low_enough[low_enough < place].max(initial=-1)) + 1
    last = int(low_enough[low_enough > place].min(initial=len(ends))) - 1
    below = 0.0 if ends[last] == n else float(ranked.scores[n - ends[last] - 1])
    above = float(ranked.scores[n - ends[first]])
    return float(f[place]), ranked.threshold_selecting(float(ends[place])), (below, above)


def _grid(positive_scores: NDArray[np.float64], thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Shape (P,): evenly spread in logits over all that matters, with the thresholds themselves."""
    inside = [one for one in thresholds if 0 < one < 1]
    ends = _logits(np.array([*np.quantile(positive_scores, [0.02, 0.98]), *inside]))
    margin = 0.25 + 0.08 * (ends.max() - ends.min())
    spread = expit(np.linspace(ends.min() - margin, ends.max() + margin, _POINTS))
    return np.unique(np.concatenate([spread, inside[:2]]))


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.clip(logit(probabilities), -_FURTHEST, _FURTHEST)


def _moved(threshold: float) -> dict[str, float]:
    if not 0 < threshold < 1:
        return {}
    there = float(logit(threshold))
    moved = {title: float(expit(there + by)) for title, by in _LOGIT_MOVES.items()}
    return moved | {title: min(threshold * by, 1.0) for title, by in _RELATIVE_MOVES.items()}


def steep_losses(curve: ClassCurve) -> float:
    """The most that is lost within ``STEEP_MOVE`` logits of the final threshold; 0 where there is nothing to move."""
    titles = [title for title, by in _LOGIT_MOVES.items() if abs(by) <= STEEP_MOVE]
    return max((move.lost for move in curve.moves if move.title in titles), default=0.0)
