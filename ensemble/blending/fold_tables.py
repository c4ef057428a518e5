"""What the members' fold models say, one by one, of rows that their mean scores."""

from __future__ import annotations

import numpy as np

from ensemble.blending.align import join_members
from ensemble.blending.source import Source
from ensemble.blending.stack import MemberStack, stack_members
from ensemble.errors import DataError
from ensemble.sealed import read_fold_table


def fold_stacks(source: Source, split: str) -> list[MemberStack]:
    """The members' fold models on the holdout or test rows: a stack a fold, read now.

    Which fold models meet does not matter to the mean over folds; model k of every member was trained without fold k.

    Args:
        source: Members that were trained here.
        split: ``"holdout"`` or ``"test"``.

    Returns:
        K stacks, members, rows and classes in the order of ``source.tables(split)``.

    Raises:
        DataError: The members have no such tables.
        ArtefactError: A table is damaged, or was changed after training.
        AlignmentError: Tables hold other rows or classes than the members' means.
    """
    merged = source.tables(split)
    if not merged or not source.fold_paths:
        why = f"the members have no {split} rows" if source.fold_paths else "tables from anywhere are the means alone"
        raise DataError(
            f"the fold models' own {split} tables are needed, but {why}: blend members that were trained here"
        )
    first = next(iter(merged.values()))
    stacks = []
    for fold in range(source.n_folds):
        tables = {name: read_fold_table(source.fold_paths[name][fold], split) for name in merged}
        joined = join_members(tables, image_ids=np.asarray(first.image_ids), class_names=source.class_names)
        stacks.append(stack_members(joined))
    return stacks
