"""The prediction tables that a member leaves: a fold's own, and merged over its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset import Dataset
from ensemble.errors import ArtefactError
from ensemble.predictions import (
    PredictionTable,
    mean_of_fold_models,
    merge_out_of_fold,
    read_predictions,
    write_predictions,
)
from ensemble.runs import FoldPaths, MemberPaths


def write_fold_tables(
    paths: FoldPaths,
    dataset: Dataset,
    logits: Mapping[str, NDArray[np.float32]],
    *,
    held_out: NDArray[np.bool_],
    fold: int,
    notes: Mapping[str, str],
) -> None:
    """Write one table for each split in ``logits``.

    Args:
        paths: Where to.
        dataset: Whose rows they are.
        logits: By split, shape (N, C).
        held_out: Shape (N,), over the training rows: those of ``oof``.
        fold: Whose model made them.
        notes: Kept in each table, with the split's name.
    """
    for split, values in logits.items():
        image_ids = dataset.train.image_ids[held_out] if split == "oof" else _ids_of(dataset, split)
        folds = np.full(len(image_ids), fold, dtype=np.int16)
        table = PredictionTable(image_ids, dataset.class_names, values, folds=folds, notes={**notes, "split": split})
        write_predictions(paths.table(split), table)


def _ids_of(dataset: Dataset, split: str) -> NDArray[np.str_]:
    rows = dataset.holdout if split == "holdout" else dataset.test
    if rows is None:
        raise ArtefactError(f"{split} rows were predicted, but the dataset has none")
    return rows.image_ids


def merge_tables(paths: MemberPaths, folds: Sequence[FoldPaths], image_ids: NDArray[np.str_]) -> None:
    """Write the member's tables from those of all its folds.

    Args:
        paths: Where to.
        folds: All folds, finished.
        image_ids: Shape (N,), the training images.

    Raises:
        AlignmentError: The fold tables do not hold every training image exactly once.
    """
    oof = merge_out_of_fold([_read(fold, "oof") for fold in folds], image_ids)
    for split in ("holdout", "test"):
        if all(fold.table(split).exists() for fold in folds):
            write_predictions(paths.table(split), mean_of_fold_models([_read(fold, split) for fold in folds]))
    # Last, because its presence is what makes a member finished.
    write_predictions(paths.table("oof"), oof)


def _read(paths: FoldPaths, split: str) -> PredictionTable:
    return read_predictions(paths.table(split))
