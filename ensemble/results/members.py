"""The members of a blend: each alone, how alike they err, and who is missed."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble.results.scores import Scores


@dataclass(frozen=True)
class MemberResult:
    """One member on its own, treated as if it were the blend.

    Attributes:
        name: The member.
        weight: Its share of the blend.
        scores: With thresholds of its own.
        epoch_picked: Its epoch was picked on the out-of-fold rows, so all but the holdout score flatter it.
    """

    name: str
    weight: float
    scores: Scores
    epoch_picked: bool


@dataclass(frozen=True)
class Absence:
    """A blend without one of its members.

    Attributes:
        name: The member.
        cross_fitted: Of the plain mean of the others, with exact thresholds.
        loss: By how much that is below the plain mean of all.
    """

    name: str
    cross_fitted: float
    loss: float


@dataclass(frozen=True)
class Likeness:
    """How members resemble one another; out-of-fold rows, exact thresholds.

    Attributes:
        error_correlations: M rows of M numbers: of the members' errors p - y, mean over classes.
        absences: What the plain mean loses without each member.
    """

    error_correlations: tuple[tuple[float, ...], ...]
    absences: tuple[Absence, ...]
