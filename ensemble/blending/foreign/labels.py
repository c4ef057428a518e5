"""The labelled rows: labels, and the groups and folds that people give for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.csv_file import open_csv
from ensemble.blending.foreign.ids import counted, match_ids, unusable_ids
from ensemble.blending.foreign.table import OpenTable, id_column_of
from ensemble.dataset.spelling import why_not
from ensemble.errors import DataError, first_few
from ensemble.field_values import parse_labels, wrong_labels
from ensemble.tables import read_table

RESERVED = ("id", "image_id", "fold", "group")
"""What the columns of other tables are called; no class can be."""


@dataclass(frozen=True, eq=False)
class Labels:
    """A label table.

    Attributes:
        path: The file.
        class_names: C names, in the file's order.
        image_ids: Shape (N,), text, unique, in the file's order.
        values: Shape (N, C), float64: 0, 1 or NaN = not labelled.
    """

    path: Path
    class_names: tuple[str, ...]
    image_ids: NDArray[np.str_]
    values: NDArray[np.float64]

    def rows(self, index: NDArray[np.bool_]) -> Labels:
        """The chosen rows."""
        return replace(self, image_ids=self.image_ids[index], values=self.values[index])


def read_labels(path: Path) -> Labels:
    """Read a label table: ids, and a column a class of 0, 1 or nothing.

    Raises:
        DataError: It cannot be read, has no classes or no rows, an id is missing or there twice, a value is neither 0
            nor 1, or nothing is labelled at all.
    """
    if path.suffix.lower() in (".parquet", ".npz"):
        raise DataError(f"{path}: expected the labels as CSV: id, then one 0/1 column a class")
    table = open_csv(path)
    names = table.columns
    if not names:
        raise DataError(f"{path}: expected an id and a 0/1 column for every class, got one column")
    if reserved := [name for name in names if name in RESERVED]:
        raise DataError(
            f"{path}: a class cannot be called {first_few(reserved)}. Take the column out; groups are given by "
            "--groups FILE, folds by --folds FILE"
        )
    image_ids, values, problems = _values(path, table)
    problems = [*unusable_ids(image_ids, where=path.name), *problems]
    if not problems and np.isnan(values).all():
        problems.append(f"{path.name}: expected 0 or 1 in some field, but all are empty")
    if problems:
        raise DataError.gather(f"{path} cannot be used as labels", problems)
    return Labels(path, names, image_ids, values)


def _values(path: Path, table: OpenTable) -> tuple[NDArray[np.str_], NDArray[np.float64], list[str]]:
    """Ids, labels, and what is wrong with these; the reader that knows lines comes after the fast one."""
    try:
        image_ids, values = table.load(table.columns)
    except DataError:
        return _careful(path, table.columns)
    usable = (values == 0) | (values == 1) | np.isnan(values)
    return (image_ids, values, []) if usable.all() else _careful(path, table.columns)


def _careful(path: Path, names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64], list[str]]:
    table, problems = read_table(path), []
    values = np.empty((len(table), len(names)))
    for column, name in enumerate(names):
        values[:, column], wrong = parse_labels(table.columns[name])
        if len(wrong):
            problems.append(wrong_labels(table, name, wrong, settings=False))
    return table.columns[id_column_of(path, table.header)], values, problems


def read_groups(path: Path, image_ids: NDArray[np.str_], *, whose: str) -> NDArray[np.str_]:
    """The group of every id, shape (N,).

    Args:
        path: A CSV of ids and a column ``group`` (or one other column). It may hold ids that nobody asks for.
        image_ids: Shape (N,), unique.
        whose: ``"labelled"`` or ``"test"``, for messages.

    Raises:
        DataError: It cannot be read, an id has no group or two, or a group is empty.
    """
    table = read_table(path)
    id_column = next((name for name in ("id", "image_id") if name in table.columns), table.header[0])
    others = [name for name in table.header if name != id_column]
    if "group" not in others and len(others) != 1:
        raise DataError(f"{path}: expected the columns id,group, got {first_few(table.header, 20)}")
    groups = table.columns["group" if "group" in others else others[0]]
    ids = table.columns[id_column]
    match = match_ids(ids, image_ids)
    problems = _two_groups(ids, groups)
    if len(match.missing):
        problems.append(
            f"{counted(len(match.missing), f'{whose} id')} without a group: {first_few(match.missing)}"
            f"{why_not(match.missing.tolist(), match.foreign.tolist())}. An image on its own is a group of its own"
        )
    else:
        empty = [image_id for image_id, group in zip(image_ids, groups[match.rows], strict=True) if not group.strip()]
        if empty:
            problems.append(f"{counted(len(empty), f'{whose} id')} with an empty group: {first_few(empty)}")
    if problems:
        raise DataError.gather(f"{path} cannot be used as groups", problems)
    return groups[match.rows]


def _two_groups(ids: NDArray[np.str_], groups: NDArray[np.str_]) -> list[str]:
    first: dict[str, str] = {}
    pairs = zip(ids.tolist(), groups.tolist(), strict=True)
    double = list(dict.fromkeys(image_id for image_id, group in pairs if first.setdefault(image_id, group) != group))
    return [f"{counted(len(double), 'id')} in two groups: {first_few(double)}. Keep one row each"] if double else []
