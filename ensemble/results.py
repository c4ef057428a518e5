"""What evaluation finds out and report shows: plain numbers, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of scores, and how far it would move if other patients had been scored.

    Attributes:
        point: On all rows.
        low: Lower end of the 95 % bootstrap interval.
        high: Its upper end.
    """

    point: float
    low: float
    high: float


@dataclass(frozen=True)
class RuleResult:
    """One row of the threshold search report, on the blend's out-of-fold rows.

    Attributes:
        name: Short and stable, e.g. ``"exact"``.
        title: For people.
        in_sample: Macro-F1 on the rows that the rule was fitted on; optimistic.
        cross_fitted: Macro-F1 of decisions on each fold by thresholds fitted on the others.
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
        in_sample_f1: With the final threshold, on the rows that chose it.
        auroc: Of the blend's probabilities; NaN where it is not defined.
        average_precision: Likewise.
        training_rate: Share of labelled rows that are positive; NaN without any.
        test_rate: Share of test rows that the final threshold calls positive; None without test rows.
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
    in_sample_f1: float
    auroc: float
    average_precision: float
    training_rate: float
    test_rate: float | None


@dataclass(frozen=True)
class Scores:
    """Macro-F1 in several ways.

    Attributes:
        cross_fitted: Thresholds of every fold fitted on the other folds: the number to believe.
        in_sample: Thresholds fitted on the rows that are scored; optimistic.
        at_half: All thresholds 0.5.
        holdout: Rows outside the folds, scored once with the final thresholds; None without a holdout.
    """

    cross_fitted: float
    in_sample: float
    at_half: float
    holdout: float | None


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
class Rows:
    """What was scored.

    Attributes:
        dataset: Its name.
        n_train: Rows in the folds.
        n_holdout: Holdout rows that were scored.
        n_test: Test rows that were predicted.
        n_folds: K.
        n_groups: Groups of the training rows; None where every row is independent.
        groups_source: Where the groups came from, in words.
        holdout_in_folds: Whether rows that came as a holdout were added to the training rows.
    """

    dataset: str
    n_train: int
    n_holdout: int
    n_test: int
    n_folds: int
    n_groups: int | None
    groups_source: str
    holdout_in_folds: bool = False


@dataclass(frozen=True)
class BlendResult:
    """Everything that a blend's report says.

    Attributes:
        rows: What was scored.
        class_names: C names.
        members: M members.
        skipped: Members that were left out, and why.
        scores: Of the blend.
        best_possible: Macro-F1 of the best rule that knows the true probabilities of the training rows; None where
            nobody knows them.
        rules: The threshold search report.
        classes: C results.
        warnings: In words.
    """

    rows: Rows
    class_names: tuple[str, ...]
    members: tuple[MemberResult, ...]
    skipped: Mapping[str, str]
    scores: Scores
    best_possible: float | None
    rules: tuple[RuleResult, ...]
    classes: tuple[ClassResult, ...]
    warnings: tuple[str, ...]
