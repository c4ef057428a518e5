"""What evaluation finds out and report shows: plain numbers, no behaviour."""

from ensemble.results.blend import BlendResult, Choice, Rows
from ensemble.results.members import Absence, Likeness, MemberResult
from ensemble.results.scores import ClassResult, Interval, RuleResult, Scores, TriedCombination

__all__ = [
    "Absence",
    "BlendResult",
    "Choice",
    "ClassResult",
    "Interval",
    "Likeness",
    "MemberResult",
    "Rows",
    "RuleResult",
    "Scores",
    "TriedCombination",
]
