"""What evaluation finds out and report shows: plain numbers, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
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
        scored_by_fold_models: Whether a training row is known to be scored by one of K models, another by their mean.
    """

    dataset: str
    n_train: int
    n_holdout: int
    n_test: int
    n_folds: int
    n_groups: int | None
    groups_source: str
    holdout_in_folds: bool = False
    scored_by_fold_models: bool = True


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


@dataclass(frozen=True)
class Choice:
    """What a blend was made by.

    Attributes:
        metric: What was maximised, its name.
        metric_title: For people.
        combine: The combination that is used, its name.
        combine_title: For people.
        asked_combine: What was asked for, e.g. ``"auto"``.
        tried: What ``auto`` compared; empty where it had nothing to compare.
        thresholds: The threshold rule, its name.
        thresholds_title: For people.
        at_least_one: Whether every image gets a label.
        exclusive: The class that never comes with another; None: there is none.
        by_image: Whether images are decided one by one by expected F1, the thresholds being for orientation.
        test_thresholds_by: The flag that made the test rows' thresholds of all test rows together; None: they are
            the final ones.
        member_rule_title: By which rule the members' own thresholds were chosen.
    """

    metric: str = "macro_f1"
    metric_title: str = "macro-F1"
    combine: str = "mean"
    combine_title: str = "mean of probabilities"
    asked_combine: str = "mean"
    tried: tuple[TriedCombination, ...] = ()
    thresholds: str = "exact"
    thresholds_title: str = "exact, per class"
    at_least_one: bool = False
    exclusive: str | None = None
    by_image: bool = False
    test_thresholds_by: str | None = None
    member_rule_title: str = "exact, per class"


@dataclass(frozen=True)
class BlendResult:
    """Everything that a blend's report says.

    Attributes:
        rows: What was scored.
        class_names: C names.
        members: M members.
        skipped: Members that were left out, and why.
        scores: Of the blend.
        choice: What it was made by.
        best_possible: Macro-F1 of the best rule that knows the true probabilities of the training rows; None where
            nobody knows them.
        rules: The threshold search report.
        classes: C results.
        warnings: In words.
        class_weights: Member to C weights, where classes have their own; None: ``members`` says all.
        likeness: Of the members; None for one member, or where it would take too long.
    """

    rows: Rows
    choice: Choice
    class_names: tuple[str, ...]
    members: tuple[MemberResult, ...]
    skipped: Mapping[str, str]
    scores: Scores
    best_possible: float | None
    rules: tuple[RuleResult, ...]
    classes: tuple[ClassResult, ...]
    warnings: tuple[str, ...]
    class_weights: Mapping[str, tuple[float, ...]] | None = None
    likeness: Likeness | None = None
