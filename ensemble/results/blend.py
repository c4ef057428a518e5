"""Everything that a blend's report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ensemble.results.members import Likeness, MemberResult
from ensemble.results.scores import ClassResult, RuleResult, Scores, TriedCombination


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
