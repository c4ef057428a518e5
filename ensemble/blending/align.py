"""Join prediction tables by image id and by class name, and refuse by name what does not belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import AlignmentError, first_few
from ensemble.predictions import PredictionTable


def join_members(
    tables: Mapping[str, PredictionTable],
    *,
    image_ids: NDArray[np.str_],
    class_names: Sequence[str],
    folds: NDArray[np.int16] | None = None,
    folds_sha256: str | None = None,
) -> dict[str, PredictionTable]:
    """Bring every member's table into one order of rows and columns.

    Args:
        tables: A table a member.
        image_ids: Shape (N,), the rows that each table must hold, no more and no fewer, in the wanted order.
        class_names: The C classes that each table must hold, in the wanted order.
        folds: Shape (N,), for out-of-fold tables: the fold whose model must have scored each row.
        folds_sha256: The fold file that each member must have been trained on; None: not checked.

    Raises:
        AlignmentError: Tables do not fit; every such member is named, with what is wrong.
    """
    joined, problems = {}, []
    for name, table in tables.items():
        found = _mismatches(table, image_ids, class_names, folds_sha256)
        if not found:
            joined[name] = align_table(table, image_ids, class_names)
            found = _fold_mismatches(joined[name], folds)
        problems += [f"member {name!r}: {problem}" for problem in found]
    if problems:
        raise AlignmentError.gather("these members cannot be blended", problems)
    return joined


def align_table(table: PredictionTable, image_ids: NDArray[np.str_], class_names: Sequence[str]) -> PredictionTable:
    """``table`` with exactly these rows and columns, in this order; it must hold all of them."""
    order = np.argsort(table.image_ids, kind="stable")
    rows = order[np.searchsorted(table.image_ids, image_ids, sorter=order)]
    columns = np.array([table.class_names.index(name) for name in class_names], dtype=np.intp)
    folds = None if table.folds is None else table.folds[rows]
    values = table.values[np.ix_(rows, columns)]
    return PredictionTable(table.image_ids[rows], tuple(class_names), values, table.scale, folds, table.notes)


def _mismatches(
    table: PredictionTable, image_ids: NDArray[np.str_], class_names: Sequence[str], folds_sha256: str | None
) -> list[str]:
    problems = []
    if folds_sha256 is not None and table.notes.get("folds_sha256") != folds_sha256:
        trained_on = table.notes.get("folds_sha256", "an unknown file")
        problems.append(
            f"it was trained on other folds (expected sha256 {folds_sha256[:12]}, got {trained_on[:12]}). "
            "Train it again with --overwrite, or leave it out by naming the others"
        )
    if set(table.class_names) != set(class_names) or len(table.class_names) != len(class_names):
        problems.append(f"expected the classes {list(class_names)}, got {list(table.class_names)}")
    problems += _id_problems(table.image_ids, image_ids)
    unusable = ~np.isfinite(table.values).all(axis=1)
    if table.scale == "probabilities":
        unusable |= ((table.values < 0) | (table.values > 1)).any(axis=1)
    if unusable.any():
        problems.append(
            f"{int(unusable.sum())} rows hold {table.scale} that are not usable numbers: "
            f"{first_few(table.image_ids[unusable])}"
        )
    return problems


def _id_problems(found: NDArray[np.str_], expected: NDArray[np.str_]) -> list[str]:
    unique, counts = np.unique(found, return_counts=True)
    problems = []
    if len(double := unique[counts > 1]):
        problems.append(f"{len(double)} images are there more than once: {first_few(double)}")
    if len(missing := np.setdiff1d(expected, unique)):
        problems.append(f"{len(missing)} of {len(expected)} images have no prediction: {first_few(missing)}")
    if len(foreign := np.setdiff1d(unique, expected)):
        problems.append(f"{len(foreign)} predicted images are not in the dataset: {first_few(foreign)}")
    return problems


def _fold_mismatches(table: PredictionTable, folds: NDArray[np.int16] | None) -> list[str]:
    if folds is None:
        return []
    if table.folds is None:
        return ["its out-of-fold table does not say which fold's model scored each row"]
    wrong = table.folds != folds
    if not wrong.any():
        return []
    first = f"{first_few(table.image_ids[wrong])}"
    return [f"{int(wrong.sum())} rows were scored by the model of another fold than the fold file says: {first}"]
