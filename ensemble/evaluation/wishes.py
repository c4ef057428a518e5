"""What a user asks of a blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ensemble.blending import COMBINATIONS
from ensemble.errors import DataError, first_few
from ensemble.metric import Metric
from ensemble.thresholds import LabelRules, threshold_rule

AUTO_NAME = "auto"


@dataclass(frozen=True)
class BlendWishes:
    """What is maximised, and by which rules.

    Attributes:
        metric: What is maximised.
        combine: The name of a combination rule, or ``"auto"``.
        thresholds: The name of a threshold rule, or ``"auto"``.
        seed: The only source of chance.
        trials: Of each Optuna study; 0 leaves these out.
        at_least_one: Every image has a label.
        exclusive: The class that never comes with another, by name; None: there is none.
        correct_for_mean: Cut the test rows so that the mean of K models calls as many positive as one model does
            (``match_fold_models``). Decisions then depend on which other test rows there are.
        match_test_rate: Cut them so that as many are positive as of the training rows (``match_rates``); likewise.
    """

    metric: Metric = field(default_factory=Metric)
    combine: str = "auto"
    thresholds: str = "auto"
    seed: int = 0
    trials: int = 50
    at_least_one: bool = False
    exclusive: str | None = None
    correct_for_mean: bool = False
    match_test_rate: bool = False

    def label_rules(self, class_names: Sequence[str]) -> LabelRules:
        """What is known about which labels come together.

        Args:
            class_names: C names.

        Raises:
            DataError: The exclusive class is none of them.
        """
        if self.exclusive is not None and self.exclusive not in class_names:
            raise DataError(f"exclusive class: expected one of {first_few(class_names, 10)}, got {self.exclusive!r}")
        exclusive = None if self.exclusive is None else list(class_names).index(self.exclusive)
        return LabelRules(self.at_least_one, exclusive)


def check_wishes(wishes: BlendWishes) -> None:
    """Refuse what ``score_blend`` cannot do.

    Raises:
        DataError: Names it.
    """
    problems = []
    if wishes.combine not in (AUTO_NAME, *COMBINATIONS):
        problems.append(f"--combine: expected one of {', '.join([AUTO_NAME, *COMBINATIONS])}, got {wishes.combine!r}")
    try:
        threshold_rule(wishes.thresholds, metric=wishes.metric)
    except DataError as error:
        problems.append(f"--thresholds: {error}")
    if wishes.thresholds == "optuna" and not wishes.trials:
        problems.append("--thresholds optuna needs --trials of 1 or more")
    if wishes.correct_for_mean and wishes.match_test_rate:
        problems.append("--match-fold-models and --match-test-rate cut the same rows: give one of them")
    if problems:
        raise DataError.gather("the blend cannot be made as asked", problems)
