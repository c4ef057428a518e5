"""Folds for rows from anywhere: the user's, or made, evenly and without splitting a group."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.labels import Labels
from ensemble.dataset import Split
from ensemble.folds import stratified_group_folds
from ensemble.folds.own_file import read_own_folds

DEFAULT_N_FOLDS = 5


def made_folds(
    image_ids: NDArray[np.str_],
    labels: NDArray[np.float64],
    groups: NDArray[np.str_] | None,
    *,
    n_folds: int | None,
    seed: int,
) -> NDArray[np.int16]:
    """Shape (N,), int16; whatever the order of the rows, an id gets the same fold.

    Args:
        image_ids: Shape (N,), unique.
        labels: Shape (N, C), 0, 1 or NaN.
        groups: Shape (N,), or None.
        n_folds: K; None: 5.
        seed: Not negative.

    Raises:
        FoldError: There are too few rows or groups, or ``seed`` is negative.
    """
    wanted = DEFAULT_N_FOLDS if n_folds is None else n_folds
    order = np.argsort(image_ids, kind="stable")
    folds = np.empty(len(order), dtype=np.int16)
    folds[order] = stratified_group_folds(
        labels[order], None if groups is None else groups[order], n_folds=wanted, seed=seed
    )
    return folds


def given_folds(
    path: Path, labels: Labels, groups: NDArray[np.str_] | None
) -> tuple[NDArray[np.int16], NDArray[np.str_] | None]:
    """Folds of a file, shape (N,), and the groups: those given, else the file's column ``group``, else None.

    Raises:
        DataError: The file cannot be read as a table.
        FoldError: It does not divide exactly these rows, or splits a group.
    """
    rows = Split(labels.image_ids, labels.values, groups, np.array([], dtype=np.str_))
    return read_own_folds(path, rows)


def folds_text(image_ids: NDArray[np.str_], groups: NDArray[np.str_] | None, folds: NDArray[np.int16]) -> str:
    """A CSV ``id,fold`` (``id,group,fold`` with groups) that ``--folds`` takes, rows in ascending order of id."""
    order = np.argsort(image_ids, kind="stable")
    columns = [("id", image_ids), *([] if groups is None else [("group", groups)]), ("fold", folds)]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(column[order].tolist() for _, column in columns), strict=True))
    return stream.getvalue()
