"""Evaluation: scores that can be trusted, because what is chosen is chosen on other rows. No torch."""

from typing import TYPE_CHECKING, Any

from ensemble.evaluation.bootstrap import (
    bootstrap_macro_f1,
    group_counts,
    interval_of,
    paired_interval,
    resampled_macro_f1,
    score_interval,
)
from ensemble.evaluation.chain import Chain, ChainRule, FittedChain, cross_fit_chain
from ensemble.evaluation.chooser import AUTO, AutoChain, ChosenChain
from ensemble.evaluation.comparison import compare_members
from ensemble.evaluation.crossfit import CrossFit, cross_fit, fit_on_all
from ensemble.evaluation.intervals import f1_intervals, population_interval, prediction_interval
from ensemble.evaluation.mean_correction import match_fold_models, match_rates
from ensemble.evaluation.paired import Difference, paired_difference
from ensemble.evaluation.resampling import resampled_totals
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import Candidate, candidates, try_rules
from ensemble.evaluation.scorecard import Scorecard, score_blend
from ensemble.evaluation.wishes import BlendWishes
from ensemble.results import TriedCombination

if TYPE_CHECKING:
    from ensemble.evaluation.estimator import MultilabelThresholdClassifierCV

__all__ = [
    "AUTO",
    "AutoChain",
    "BlendWishes",
    "Candidate",
    "Chain",
    "ChainRule",
    "ChosenChain",
    "CrossFit",
    "Difference",
    "FittedChain",
    "LabelledRows",
    "MultilabelThresholdClassifierCV",
    "Scorecard",
    "TriedCombination",
    "bootstrap_macro_f1",
    "candidates",
    "compare_members",
    "cross_fit",
    "cross_fit_chain",
    "f1_intervals",
    "fit_on_all",
    "group_counts",
    "interval_of",
    "match_fold_models",
    "match_rates",
    "paired_difference",
    "paired_interval",
    "population_interval",
    "prediction_interval",
    "resampled_macro_f1",
    "resampled_totals",
    "score_blend",
    "score_interval",
    "try_rules",
]


def __getattr__(name: str) -> Any:
    """The scikit-learn estimator is loaded when it is asked for: a blend needs none."""
    if name == "MultilabelThresholdClassifierCV":
        from ensemble.evaluation.estimator import MultilabelThresholdClassifierCV  # noqa: PLC0415

        return MultilabelThresholdClassifierCV
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
