"""Blending: find members, join their tables by id and class name, and combine them. No torch."""

from ensemble.blending.align import align_table, join_members
from ensemble.blending.combine import mean_of_probabilities, uniform_weights
from ensemble.blending.convex import ClassWeights, Convex
from ensemble.blending.copies import Copy, find_copies
from ensemble.blending.fold_tables import fold_stacks
from ensemble.blending.foreign.files import TableFiles, TableOptions
from ensemble.blending.foreign.from_arrays import source_of_arrays
from ensemble.blending.foreign.source import source_of_tables
from ensemble.blending.greedy import Greedy
from ensemble.blending.mean import Mean, MeanLogits, MeanOfLogits, WeightedMean
from ensemble.blending.members import Member, choose_members, read_member
from ensemble.blending.ranks import MeanOfRanks, MeanRanks
from ensemble.blending.registry import COMBINATIONS, combination_rule
from ensemble.blending.row_order import rows_by_id
from ensemble.blending.rules import Combination, CombinationRule
from ensemble.blending.source import Source, open_source
from ensemble.blending.stack import MemberStack, stack_members
from ensemble.blending.weight_search import OptunaWeights

__all__ = [
    "COMBINATIONS",
    "ClassWeights",
    "Combination",
    "CombinationRule",
    "Convex",
    "Copy",
    "Greedy",
    "Mean",
    "MeanLogits",
    "MeanOfLogits",
    "MeanOfRanks",
    "MeanRanks",
    "Member",
    "MemberStack",
    "OptunaWeights",
    "Source",
    "TableFiles",
    "TableOptions",
    "WeightedMean",
    "align_table",
    "choose_members",
    "combination_rule",
    "find_copies",
    "fold_stacks",
    "join_members",
    "mean_of_probabilities",
    "open_source",
    "read_member",
    "rows_by_id",
    "source_of_arrays",
    "source_of_tables",
    "stack_members",
    "uniform_weights",
]
