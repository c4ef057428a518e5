"""Evaluation: scores that can be trusted, because what is chosen is chosen on other rows. No torch."""

from ensemble.evaluation.chain import Chain, ChainRule, FittedChain, cross_fit_chain
from ensemble.evaluation.chooser import AUTO, AutoChain, ChosenChain, TriedCombination
from ensemble.evaluation.crossfit import CrossFit, cross_fit, fit_on_all
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.rules import Candidate, candidates, try_rules
from ensemble.evaluation.scorecard import Scorecard, score_blend

__all__ = [
    "AUTO",
    "AutoChain",
    "Candidate",
    "Chain",
    "ChainRule",
    "ChosenChain",
    "CrossFit",
    "FittedChain",
    "LabelledRows",
    "Scorecard",
    "TriedCombination",
    "candidates",
    "cross_fit",
    "cross_fit_chain",
    "fit_on_all",
    "score_blend",
    "try_rules",
]
