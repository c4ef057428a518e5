"""One order of training rows for all that is computed: in which order a file lists them must change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.members import Member
from ensemble.blending.source import Source


def rows_by_id(source: Source) -> tuple[Source, NDArray[np.intp]]:
    """The same with its N training rows in the order of their ids, shorter ids first.

    Chance divides rows, and sums round, in the order in which rows stand.

    Args:
        source: Left as it is.

    Returns:
        The source, and shape (N,): the place of each row of the one given.
    """
    ids = source.image_ids
    order = np.lexsort((ids, np.char.str_len(ids)))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    if np.array_equal(order, np.arange(len(order))):
        return source, place
    known, groups = source.true_probabilities, source.groups
    ordered = replace(
        source,
        image_ids=ids[order],
        labels=source.labels[order],
        folds=source.folds[order],
        groups=None if groups is None else groups[order],
        true_probabilities=None if known is None else known[order],
        members=tuple(_with_rows(member, order) for member in source.members),
    )
    return ordered, place


def _with_rows(member: Member, order: NDArray[np.intp]) -> Member:
    return replace(member, tables={**member.tables, "oof": member.tables["oof"].rows(order)})
