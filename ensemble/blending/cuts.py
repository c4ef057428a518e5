"""The best that a metric can be for given scores: thresholds solved inside a search over weights.

For metrics that split by class every distinct cut of every class is considered, so the thresholds are exact on the
cells. Micro-F1 is solved by Dinkelbach's iteration, which is exact too. Sample-F1 and subset accuracy couple classes
row by row, for which no such solution is known: weights are searched on micro-F1 and on the share of single labels
that are right in their place, and the chooser then compares by the metric itself.

Source: Dinkelbach, "On nonlinear fractional programming" (1967), https://doi.org/10.1287/mnsc.13.7.492.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.cells import ClassCells
from ensemble.metric import Metric

_ROUNDS = 20  # of Dinkelbach's iteration; three or four do


@dataclass(frozen=True, eq=False)
class _Cuts:
    """What each cut of A blends selects of one class. Cuts inside a tie select nothing, as no threshold does that.

    Attributes:
        hits: Shape (A, n): positive rows selected.
        selected: Shape (A, n): rows selected.
        positives: Positive rows of the class.
    """

    hits: NDArray[np.floating]
    selected: NDArray[np.floating]
    positives: float


class BestScore:
    """The metric of blends, each with the best thresholds for it, on fixed cells."""

    def __init__(self, metric: Metric, cells: Sequence[ClassCells]) -> None:
        """Prepare.

        Args:
            metric: What is maximised.
            cells: Of C classes.
        """
        self._metric = metric
        self._cells = cells
        self._codes = [_codes(one) for one in cells]
        self._positives = np.array([one.n_positives * one.positive_rows for one in cells])
        self._labelled = np.array([one.rows.sum() for one in cells])

    def __call__(self, scores: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
        """The best metric of A blends, shape (A,); 0 where nothing is labelled.

        Args:
            scores: For each class what A blends say of its cells, shape (A, n), float32, >= 0. Only order matters.
        """
        name = self._metric.name
        cuts = map(_cuts, self._cells, self._codes, scores)
        if name in ("micro_f1", "sample_f1"):
            return _micro_f1(list(cuts))
        if name == "subset_accuracy":
            right = sum((2.0 * one.hits - one.selected).max(axis=1, initial=0.0) for one in cuts)
            return np.asarray((right + (self._labelled - self._positives).sum()) / max(self._labelled.sum(), 1.0))
        best = np.stack([_best_f(one, self._metric.beta) for one in cuts], axis=1)
        weights = self._positives if name == "weighted_f1" else (self._labelled > 0).astype(np.float64)
        return np.asarray(best @ weights / max(float(weights.sum()), 1.0))


def _codes(cells: ClassCells) -> NDArray[np.int32]:
    """Shape (n,): bit 0 of a positive, bit 1 of a negative that stands for several rows."""
    return np.repeat(np.array([1, 0, 2], np.int32), [cells.n_positives, cells.n_sure, cells.n_others])


def _cuts(cells: ClassCells, codes: NDArray[np.int32], scores: NDArray[np.float32]) -> _Cuts:
    """Sort scores with their codes in the two lowest bits: one sort of integers instead of a sort and gathers."""
    packed = (np.ascontiguousarray(scores).view(np.int32) & ~np.int32(3)) | codes
    packed.sort(axis=1)
    falling = packed[:, ::-1]
    hits = np.cumsum(falling & 1, axis=1, dtype=np.int32)
    selected = np.broadcast_to(np.arange(1.0, hits.shape[1] + 1), hits.shape)
    if cells.n_others:
        others = np.cumsum(falling >> 1 & 1, axis=1, dtype=np.int32)
        selected = selected + (cells.other_rows - 1.0) * others
    selected = selected + (cells.positive_rows - 1.0) * hits
    real = np.ones(hits.shape, dtype=np.bool_)
    np.not_equal(falling[:, :-1] >> 2, falling[:, 1:] >> 2, out=real[:, :-1])
    return _Cuts(real * hits * cells.positive_rows, real * selected, cells.n_positives * cells.positive_rows)


def _best_f(cuts: _Cuts, beta: float) -> NDArray[np.float64]:
    """The best F-beta of each blend on one class; 0 without a positive."""
    if not cuts.positives:
        return np.zeros(len(cuts.hits))
    f_beta = (1.0 + beta**2) * cuts.hits / (beta**2 * cuts.positives + cuts.selected)
    return np.asarray(f_beta.max(axis=1))


def _micro_f1(cuts: Sequence[_Cuts]) -> NDArray[np.float64]:
    """The best F1 of pooled counts: with f the best so far, classes maximise 2 hits - f selected, each alone."""
    best = np.zeros(len(cuts[0].hits))
    cuts = [one for one in cuts if one.positives]
    positives = sum(one.positives for one in cuts)
    for _ in range(_ROUNDS):
        hits, selected = np.zeros(len(best)), np.zeros(len(best))
        for one in cuts:
            gain = 2.0 * one.hits - best[:, None] * one.selected
            at = gain.argmax(axis=1, keepdims=True)
            taken = np.take_along_axis(gain, at, axis=1)[:, 0] > 0
            hits += taken * np.take_along_axis(one.hits, at, axis=1)[:, 0]
            selected += taken * np.take_along_axis(one.selected, at, axis=1)[:, 0]
        better = 2.0 * hits / np.maximum(selected + positives, 1.0)
        if not (better > best + 1e-9).any():
            break
        best = np.maximum(best, better)
    return best
