"""One class's labelled rows in the order of their scores, and the places where they can be cut.

A threshold matters only by which rows it selects. So rules can be compared, and averaged, by *how many* of the fitting
rows they select: two thresholds may lie a hair or a decade apart, counts say how much that means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ensemble.thresholds.exact import ALL_POSITIVE, NONE_POSITIVE


@dataclass(frozen=True, eq=False)
class RankedClass:
    """The labelled rows of one class, n of them, lowest score first.

    Attributes:
        scores: Shape (n,), float64, ascending.
        positive: Shape (n,), bool.
        units: Shape (n,), int64, >= 0: rows with the same number belong together.
    """

    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]
    units: NDArray[np.intp]

    @cached_property
    def n_positives(self) -> int:
        """How many rows are positive."""
        return int(np.count_nonzero(self.positive))

    @cached_property
    def n_positive_units(self) -> int:
        """How many units have a positive."""
        return len(np.unique(self.units[self.positive]))

    @property
    def forced(self) -> float | None:
        """The threshold of a class that leaves no choice; None where there is one.

        None positive without a labelled positive, as ``exact_thresholds`` has it; all positive without a negative.
        """
        if not self.n_positives:
            return NONE_POSITIVE
        return ALL_POSITIVE if self.n_positives == len(self.positive) else None

    @cached_property
    def ends(self) -> NDArray[np.intp]:
        """The numbers of rows, ascending from 1 to n, that some threshold selects: cuts between distinct scores."""
        descending = self.scores[::-1]
        return np.flatnonzero(np.append(descending[1:] < descending[:-1], True)) + 1

    def selected(self, threshold: float) -> int:
        """How many rows have a score >= ``threshold``."""
        return len(self.scores) - int(np.searchsorted(self.scores, threshold))

    def threshold_selecting(self, count: float) -> float:
        """A threshold that selects about ``count`` rows, at least one.

        The midpoint between the scores on both sides of the cut; where equal scores are in the way, all or none of them
        are selected, whichever is nearer (all where it is as near, or where none would be left).
        """
        n = len(self.scores)
        whole = min(max(int(np.floor(count + 0.5)), 1), n)
        score = self.scores[n - whole]
        least = n - int(np.searchsorted(self.scores, score, side="right"))
        most = n - int(np.searchsorted(self.scores, score))
        return self._midpoint(least if least and count - least < most - count else most)

    def threshold_between(self, count: float) -> float:
        """Like ``threshold_selecting``, but a count that is not whole lies between the thresholds of its neighbours.

        Where equal scores or the last row are in the way it is ``threshold_selecting``.
        """
        n, whole = len(self.scores), int(np.floor(count))
        if not 1 <= whole < n - 1:
            return self.threshold_selecting(count)
        third, second, first = self.scores[n - whole - 2 : n - whole + 1].tolist()
        if not third < second < first:
            return self.threshold_selecting(count)
        fewer, more = self._midpoint(whole), self._midpoint(whole + 1)
        return fewer + (count - whole) * (more - fewer)

    def f_selecting(self, counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
        """F-beta on these rows of the thresholds that select about ``counts`` rows; both of shape (K,)."""
        selected = np.array([self.selected(self.threshold_selecting(count)) for count in counts.tolist()])
        hits = np.array([np.count_nonzero(self.positive[len(self.positive) - count :]) for count in selected.tolist()])
        return np.asarray((1.0 + beta**2) * hits / (selected + beta**2 * self.n_positives))

    def _midpoint(self, count: int) -> float:
        """The threshold of a cut that separates: ``count`` is one of ``ends``."""
        n = len(self.scores)
        if count == n:
            return ALL_POSITIVE
        return midpoint(float(self.scores[n - count - 1]), float(self.scores[n - count]))


def midpoint(lower: float, upper: float) -> float:
    """The middle of two scores; the upper one where no float lies between."""
    middle = lower + (upper - lower) / 2
    return middle if middle > lower else upper


class CountRule(Protocol):
    """A rule that says how many rows to select; ``choose_thresholds`` makes thresholds of that."""

    def counts(self, ranked: Sequence[RankedClass], rng: np.random.Generator) -> NDArray[np.float64]:
        """How many rows of each class to select.

        Args:
            ranked: The C classes that have both positives and negatives, at least one.
            rng: The only source of chance.

        Returns:
            Shape (C,), float64, >= 0; need not be whole.
        """
        ...


def choose_thresholds(
    rule: CountRule,
    labels: NDArray[np.float64],
    probabilities: NDArray[Any],
    groups: NDArray[np.str_] | None,
    rng: np.random.Generator,
    *,
    cut: Callable[[RankedClass, float], float] = RankedClass.threshold_selecting,
) -> NDArray[np.float64]:
    """What ``ThresholdRule.fit`` is for a rule that counts.

    Classes without a labelled positive get 2.0, none, those without a labelled negative 0.0, all; the rule is asked of
    the others. Other arguments, and the result, as for ``ThresholdRule.fit``.

    Args:
        rule: Counts.
        labels: Shape (N, C).
        probabilities: Shape (N, C).
        groups: Shape (N,), or None.
        rng: The only source of chance.
        cut: Makes a threshold of a count.
    """
    ranked = rank_classes(labels, probabilities, groups)
    forced = [one.forced for one in ranked]
    asked = [one for one, threshold in zip(ranked, forced, strict=True) if threshold is None]
    counts = iter(rule.counts(asked, rng).tolist() if asked else ())
    return np.array(
        [
            cut(one, next(counts)) if threshold is None else threshold
            for one, threshold in zip(ranked, forced, strict=True)
        ],
        dtype=np.float64,
    )


def rank_classes(
    labels: NDArray[np.float64], probabilities: NDArray[Any], groups: NDArray[np.str_] | None
) -> list[RankedClass]:
    """Rank each of C classes. Arguments as for ``ThresholdRule.fit``."""
    units = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    return [_rank(labels[:, column], probabilities[:, column], units) for column in range(labels.shape[1])]


def _rank(labels: NDArray[np.float64], scores: NDArray[Any], units: NDArray[np.intp]) -> RankedClass:
    labelled = np.flatnonzero(~np.isnan(labels))
    wide = scores[labelled].astype(np.float64)
    order = np.argsort(wide, kind="stable")
    rows = labelled[order]
    return RankedClass(wide[order], labels[rows] == 1, units[rows])
