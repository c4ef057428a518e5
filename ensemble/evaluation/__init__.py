"""Evaluation: scores that can be trusted, because what is chosen is chosen on other rows. No torch."""

from ensemble.evaluation.crossfit import CrossFit, cross_fit, fit_on_all
from ensemble.evaluation.intervals import f1_intervals, population_interval, prediction_interval
from ensemble.evaluation.paired import Difference, paired_difference
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import Candidate, candidates, try_rules
from ensemble.evaluation.scorecard import Scorecard, score_blend

__all__ = [
    "Candidate",
    "CrossFit",
    "Difference",
    "LabelledRows",
    "Scorecard",
    "candidates",
    "cross_fit",
    "f1_intervals",
    "fit_on_all",
    "paired_difference",
    "population_interval",
    "prediction_interval",
    "score_blend",
    "try_rules",
]
