"""One class's labelled rows in the order of their scores, and the places where they can be cut.

A threshold matters only by which rows it selects. So rules can be compared, and averaged, by the *share* of the fitting
rows that they select: scores of two rules that disagree may lie a hair or a decade apart, shares say how much it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE


@dataclass(frozen=True, eq=False)
class RankedClass:
    """The labelled rows of one class, n of them; equal scores: negatives first, so that row order does not matter.

    Attributes:
        scores: Shape (n,), float64, ascending.
        positive: Shape (n,), bool.
    """

    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]

    @property
    def n_positives(self) -> int:
        """How many rows are positive."""
        return int(np.count_nonzero(self.positive))

    @property
    def forced(self) -> float | None:
        """The threshold of a class that leaves no choice; None where there is one.

        None positive without a labelled positive, as ``exact_thresholds`` has it; all positive without a negative.
        """
        if not self.n_positives:
            return NONE_POSITIVE
        return ALL_POSITIVE if self.n_positives == len(self.positive) else None

    def selected(self, threshold: float) -> int:
        """How many rows have a score >= ``threshold``."""
        return len(self.scores) - int(np.searchsorted(self.scores, threshold))

    def ends(self) -> NDArray[np.int64]:
        """The numbers of rows, ascending from 1 to n, that some threshold selects: cuts between distinct scores."""
        descending = self.scores[::-1]
        return np.flatnonzero(np.append(descending[1:] < descending[:-1], True)) + 1

    def threshold_selecting(self, count: float) -> float:
        """A threshold that selects about ``count`` rows, at least one.

        The midpoint between the scores on both sides of the cut; where equal scores are in the way, all or none of them
        are selected, whichever is nearer (none where it is as near).
        """
        n = len(self.scores)
        whole = min(max(int(np.floor(count + 0.5)), 1), n)
        score = self.scores[n - whole]
        least = n - int(np.searchsorted(self.scores, score, side="right"))
        most = n - int(np.searchsorted(self.scores, score))
        if most == whole or not least or most - count < count - least:
            return self._midpoint(most)
        return self._midpoint(least)

    def _midpoint(self, count: int) -> float:
        """The threshold of a cut that separates: ``count`` is one of ``ends``."""
        n = len(self.scores)
        if count == n:
            return ALL_POSITIVE
        lower, upper = float(self.scores[n - count - 1]), float(self.scores[n - count])
        midpoint = lower + (upper - lower) / 2
        return midpoint if midpoint > lower else upper


def rank_class(labels: NDArray[np.float64], scores: NDArray[Any]) -> RankedClass:
    """Rank one class.

    Args:
        labels: Shape (N,), 0, 1 or NaN = not labelled.
        scores: Shape (N,), in [0, 1].
    """
    negatives, positives = (np.sort(scores[labels == value].astype(np.float64)) for value in (0.0, 1.0))
    both = np.concatenate([negatives, positives])
    order = np.argsort(both, kind="stable")
    return RankedClass(both[order], order >= len(negatives))


def rank_classes(labels: NDArray[np.float64], probabilities: NDArray[Any]) -> list[RankedClass]:
    """Rank each of C classes; ``labels`` and ``probabilities`` have shape (N, C)."""
    return [rank_class(labels[:, column], probabilities[:, column]) for column in range(labels.shape[1])]
