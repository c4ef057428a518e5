"""Evaluation: scores that can be trusted, because what is chosen is chosen on other rows. No torch."""

from ensemble.evaluation.crossfit import CrossFit, cross_fit, fit_on_all
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import Candidate, candidates, try_rules
from ensemble.evaluation.scorecard import Scorecard, score_blend
from ensemble.evaluation.wishes import BlendWishes

__all__ = [
    "BlendWishes",
    "Candidate",
    "CrossFit",
    "LabelledRows",
    "Scorecard",
    "candidates",
    "cross_fit",
    "fit_on_all",
    "score_blend",
    "try_rules",
]
