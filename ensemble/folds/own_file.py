"""A fold file of the user's own (``--folds FILE``): read, checked against the dataset, never trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IdLookup
from ensemble.errors import FoldError, first_few, many
from ensemble.tables import TextTable, read_table, shortened

if TYPE_CHECKING:
    from ensemble.dataset import Split


def read_own_folds(path: Path, train: Split) -> tuple[NDArray[np.int16], NDArray[np.str_] | None]:
    """Read and check a fold file.

    Args:
        path: A CSV with the columns ``image_id`` or ``id``, ``fold`` and, if one likes, ``group``. Its ids may have an
            ending or not, whatever the labels' ids have.
        train: The rows that it must divide.

    Returns:
        For each training row its fold, shape (N,), int16, and its group, shape (N,): the dataset's, else the file's,
        else None.

    Raises:
        DataError: The file cannot be read as a table.
        FoldError: An image is missing, foreign or there twice, a fold is no whole number, a fold between 0 and the
            largest is empty, or a group is in two folds. All of these are named at once.
    """
    table = read_table(path)
    ids = _column(table, "image_id", "id")
    folds, problems = _parse_folds(table)
    found = IdLookup(train.image_ids).find_all(ids)
    problems += _id_problems(ids, table, found, train.image_ids)
    if problems:
        raise FoldError.gather(f"{path} cannot be used as folds", problems)
    rows = np.argsort(found, kind="stable")
    own_groups = _own_groups(table, rows)
    aligned = folds[rows]
    for groups, whose in ((train.groups, "the dataset's"), (own_groups, "the file's")):
        problems += _split_groups(groups, aligned, whose)
    if problems:
        raise FoldError.gather(f"{path} cannot be used as folds", problems)
    return aligned, own_groups if train.groups is None else train.groups


def _column(table: TextTable, *names: str) -> NDArray[np.str_]:
    for name in names:
        if name in table.columns:
            return table.columns[name]
    raise FoldError(
        f"{table.path}: expected a column {' or '.join(names)!r}, got the columns {first_few(table.header, 20)}"
    )


def _own_groups(table: TextTable, rows: NDArray[np.intp]) -> NDArray[np.str_] | None:
    """The file's groups; a column ``group`` that is empty, as in our own files without groups, says nothing."""
    groups = table.columns.get("group")
    return None if groups is None or not any(text.strip() for text in groups.tolist()) else groups[rows]


def _parse_folds(table: TextTable) -> tuple[NDArray[np.int16], list[str]]:
    texts = [text.strip() for text in _column(table, "fold").tolist()]
    wrong = [
        f"line {line}: {text!r}"
        for line, text in zip(table.lines.tolist(), texts, strict=True)
        if not (text.isascii() and text.isdigit() and len(text) <= 4)
    ]
    if wrong:
        return np.zeros(len(texts), dtype=np.int16), [f"expected folds 0, 1, 2, …, got {shortened(wrong)}"]
    folds = np.array([int(text) for text in texts], dtype=np.int16)
    present = np.unique(folds)
    if len(present) < 2:
        return folds, [f"expected at least 2 folds, got {len(present)}"]
    if len(empty := np.setdiff1d(np.arange(present[-1] + 1), present)):
        return folds, [
            f"the largest fold is {present[-1]}, but no image is in fold {shortened([str(k) for k in empty])}"
        ]
    return folds, []


def _id_problems(
    ids: NDArray[np.str_], table: TextTable, found: NDArray[np.int64], expected: NDArray[np.str_]
) -> list[str]:
    """What is wrong with the file's ids, of which ``found`` says what training rows they are, -1 for none."""
    problems = []
    times = np.bincount(found[found >= 0], minlength=len(expected))
    if len(double := np.flatnonzero(times > 1)):
        second = np.flatnonzero(found == double[0])[1]
        problems.append(
            f"{_images_are(len(double))} there more than once: {first_few(expected[double])}, the first again on line "
            f"{table.lines[second]}"
        )
    if len(missing := expected[times == 0]):
        problems.append(f"{_images_are(len(missing), 'training image')} missing: {first_few(missing)}")
    if len(foreign := np.unique(ids[found < 0])):
        are = "is not a training image" if len(foreign) == 1 else "are not training images"
        problems.append(f"{many(len(foreign), 'id')} {are} (write them as in the label table): {first_few(foreign)}")
    return problems


def _images_are(number: int, noun: str = "image") -> str:
    return f"{many(number, noun)} {'is' if number == 1 else 'are'}"


def _split_groups(groups: NDArray[np.str_] | None, folds: NDArray[np.int16], whose: str) -> list[str]:
    if groups is None:
        return []
    names, numbers = np.unique(groups, return_inverse=True)
    pairs = np.unique(np.stack([numbers.reshape(-1), folds]), axis=1)
    split = names[np.bincount(pairs[0]) > 1]
    if not len(split):
        return []
    return [f"{len(split)} of {whose} groups are in more than one fold: {first_few(split)}"]
