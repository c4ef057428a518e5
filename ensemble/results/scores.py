"""Scores, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of scores, and how far it would move if other patients had been scored.

    Attributes:
        point: On all rows.
        low: Lower end of the 95 % interval.
        high: Its upper end.
    """

    point: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """The metric in several ways.

    Attributes:
        cross_fitted: All that was chosen for a fold was chosen on the other folds: the number to believe.
        in_sample: Chosen on the rows that are scored; optimistic.
        at_half: All thresholds 0.5.
        holdout: Rows outside the folds, scored once with the final thresholds; None without a holdout.
        cross_fitted_ci95: Where the score of this blend on the whole population is; None where it was not asked for.
        test_interval95: Where the score on the test rows will fall; None without test rows.
    """

    cross_fitted: float
    in_sample: float
    at_half: float
    holdout: float | None
    cross_fitted_ci95: tuple[float, float] | None = None
    test_interval95: tuple[float, float] | None = None


@dataclass(frozen=True)
class RuleResult:
    """One row of the threshold search report, on the blend's out-of-fold rows.

    Attributes:
        name: Short and stable, e.g. ``"exact"``.
        title: For people.
        in_sample: The metric on the rows that the rule was fitted on; optimistic.
        cross_fitted: The metric of decisions on each fold by a rule, and a combination, fitted on the others.
        seconds: Of one fit on all rows.
        chosen: Whether the blend's thresholds are this rule's.
    """

    name: str
    title: str
    in_sample: float
    cross_fitted: float
    seconds: float
    chosen: bool


@dataclass(frozen=True)
class TriedCombination:
    """One combination in ``auto``'s comparison.

    Attributes:
        name: Of the rule.
        title: For people.
        cross_fitted: The metric of decisions on each fold by a chain fitted on the other folds of these rows.
        gain: By how much that is above the plain mean's.
        standard_error: Of the gain: paired, bootstrapped by group; 0 for the mean itself.
        seconds: Of one fit, thresholds included: the mean over folds.
        chosen: Whether the chain combines members so.
    """

    name: str
    title: str
    cross_fitted: float
    gain: float
    standard_error: float
    seconds: float
    chosen: bool


@dataclass(frozen=True)
class ClassResult:
    """One class of the blend. Counts and scores are of the cross-fitted decisions unless they say otherwise.

    Attributes:
        name: The class.
        labelled: Labelled rows.
        positives: Positive rows.
        positive_groups: Groups with a positive row; equal to ``positives`` where there are no groups.
        threshold: The final one, fitted on all rows; positive iff probability >= threshold.
        fold_thresholds: K numbers, one for each held-out fold, fitted on the other folds.
        tp: Likewise ``fp``, ``fn``, ``tn``: confusion counts.
        precision: 0/0 = 0; NaN without a labelled row, likewise ``recall``, ``f1`` and ``in_sample_f1``.
        f1_ci95: Where the F1 of decisions like these is; Wilson's interval, by group.
        in_sample_f1: With the final threshold, on the rows that chose it.
        auroc: Of the blend's probabilities; NaN where it is not defined.
        average_precision: Likewise.
        training_rate: Share of labelled rows that are positive; NaN without any.
        test_rate: Share of test rows that their threshold calls positive; None without test rows.
    """

    name: str
    labelled: int
    positives: int
    positive_groups: int
    threshold: float
    fold_thresholds: tuple[float, ...]
    tp: int
    fp: int
    fn: int
    tn: int
    precision: float
    recall: float
    f1: float
    f1_ci95: tuple[float, float]
    in_sample_f1: float
    auroc: float
    average_precision: float
    training_rate: float
    test_rate: float | None
