"""What a user asks of a blend."""

from __future__ import annotations

from dataclasses import dataclass, field

from ensemble.errors import DataError
from ensemble.metric import Metric


@dataclass(frozen=True)
class BlendWishes:
    """What is maximised, and by which rules.

    Attributes:
        metric: What is maximised.
        combine: The name of a combination rule, or ``"auto"``.
        thresholds: The name of a threshold rule, or ``"auto"``.
        seed: The only source of chance.
        trials: Of each Optuna study; 0 leaves these out.
    """

    metric: Metric = field(default_factory=Metric)
    combine: str = "auto"
    thresholds: str = "auto"
    seed: int = 0
    trials: int = 100


def check_wishes(wishes: BlendWishes) -> None:
    """Refuse what ``score_blend`` cannot do.

    Raises:
        DataError: Names it.
    """
    problems = []
    if wishes.metric != Metric():
        problems.append(f"metric {wishes.metric.name}: only macro_f1 can be maximised")
    if wishes.combine not in ("auto", "mean"):
        problems.append(f"combine {wishes.combine!r}: expected 'auto' or 'mean'")
    if wishes.thresholds not in ("auto", "exact"):
        problems.append(f"thresholds {wishes.thresholds!r}: expected 'auto' or 'exact'")
    if problems:
        raise DataError.gather("the blend cannot be made as asked", problems)
