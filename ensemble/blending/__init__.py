"""Blending: find members, join their tables by id and class name, and average them. No torch."""

from ensemble.blending.align import align_table, join_members
from ensemble.blending.combine import mean_of_probabilities, uniform_weights
from ensemble.blending.copies import Copy, find_copies
from ensemble.blending.foreign.files import TableFiles, TableOptions
from ensemble.blending.foreign.from_arrays import source_of_arrays
from ensemble.blending.foreign.source import source_of_tables
from ensemble.blending.members import Member, choose_members, read_member
from ensemble.blending.source import Source, open_source

__all__ = [
    "Copy",
    "Member",
    "Source",
    "TableFiles",
    "TableOptions",
    "align_table",
    "choose_members",
    "find_copies",
    "join_members",
    "mean_of_probabilities",
    "open_source",
    "read_member",
    "source_of_arrays",
    "source_of_tables",
    "uniform_weights",
]
