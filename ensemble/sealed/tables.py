"""Tables that are still what training, or merging, wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.errors import ArtefactError
from ensemble.files import sha256_of_file
from ensemble.predictions import PredictionTable, mean_of_fold_models, merge_out_of_fold, read_predictions
from ensemble.run_facts import read_run
from ensemble.runs import FoldPaths, MemberPaths

_TOLERANCE = 1e-4  # of a mean's logits: another processor may round the last bit otherwise


def check_unchanged(paths: MemberPaths, tables: Mapping[str, PredictionTable], *, n_folds: int) -> None:
    """Refuse merged tables that do not follow from the fold tables, and fold tables that are not the run's.

    Args:
        paths: Of the member, all of whose folds are finished.
        tables: Its merged tables, by split.
        n_folds: K of the dataset's folds.

    Raises:
        ArtefactError: A table was changed, or a fold table is missing or damaged; names the file.
    """
    for split, table in tables.items():
        parts = [read_fold_table(paths.fold(fold), split) for fold in range(n_folds)]
        if not _follows(table, parts, split):
            raise ArtefactError(
                f"{paths.table(split)}: expected what its {n_folds} fold tables say, got other contents: "
                "it was changed after it was merged. The command that trained the member merges it anew"
            )


def read_fold_table(fold: FoldPaths, split: str) -> PredictionTable:
    """A fold's own table of ``split``, if it is still what training left.

    Raises:
        ArtefactError: It is missing, damaged or was changed.
    """
    path = fold.table(split)
    table = read_predictions(path)
    check_sealed(path, read_run(fold.run).get("table_sha256", {}).get(split), seal=fold.run)
    return table


def check_sealed(path: Path, expected: str | None, *, seal: Path) -> None:
    """Refuse a file of a finished fold that is not what its ``run.json`` says.

    Args:
        path: The file; it exists.
        expected: Hex SHA-256 that was stored.
        seal: The ``run.json``.

    Raises:
        ArtefactError: The file was changed.
    """
    found = sha256_of_file(path)
    if found != expected:
        raise ArtefactError(
            f"{path}: expected sha256 {str(expected)[:12]} as {seal.name} says, got {found[:12]}: it was changed "
            "after training. Put the old file back, or train this fold again with --overwrite"
        )


def _follows(table: PredictionTable, parts: Sequence[PredictionTable], split: str) -> bool:
    """Whether ``table`` is what merging ``parts`` gives, in whichever order of rows it has."""
    if split == "oof":
        ids = np.concatenate([part.image_ids for part in parts])
        if not np.array_equal(np.sort(ids), np.sort(table.image_ids)):
            return False
        merged, tolerance = merge_out_of_fold(parts, table.image_ids), 0.0
    else:
        merged, tolerance = mean_of_fold_models(parts), _TOLERANCE
    return (
        np.array_equal(merged.image_ids, table.image_ids)
        and (merged.class_names, merged.scale, merged.notes) == (table.class_names, table.scale, table.notes)
        and (table.folds is None) == (merged.folds is None)
        and (table.folds is None or merged.folds is None or np.array_equal(merged.folds, table.folds))
        and np.allclose(merged.values, table.values, rtol=tolerance, atol=tolerance, equal_nan=True)
    )
