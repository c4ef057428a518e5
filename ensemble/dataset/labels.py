"""Label tables: ids and 0/1 columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IdRow
from ensemble.dataset.settings import DatasetSettings
from ensemble.errors import first_few
from ensemble.field_values import parse_labels, wrong_labels
from ensemble.tables import TextTable

ID_COLUMNS = ("id", "image_id")
"""What columns of ids are called; where a table has none of these names, its first column holds them."""

RESERVED_COLUMNS = (*ID_COLUMNS, "fold", "group")
_PANDAS_INDEX = re.compile(r"Unnamed: [0-9]+")


@dataclass(frozen=True, eq=False)
class IdTable:
    """A table and its ids.

    Attributes:
        table: The text that was read.
        id_column: The column of the ids.
    """

    table: TextTable
    id_column: str

    @property
    def image_ids(self) -> NDArray[np.str_]:
        """Shape (N,), verbatim."""
        return self.table.columns[self.id_column]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.table.path.name

    def rows(self, labels: NDArray[np.float64] | None = None) -> list[IdRow]:
        """Every id with its line and, where ``labels`` of shape (N, C) are given, its labels."""
        said = [None] * len(self.table) if labels is None else [row.tobytes() for row in labels]
        triples = zip(self.table.lines.tolist(), self.image_ids.tolist(), said, strict=True)
        return [IdRow(self.name, line, image_id, label) for line, image_id, label in triples]


def id_column(table: TextTable, settings: DatasetSettings) -> str:
    """The column that ``dataset.yaml`` names where the table has it, else one of ``ID_COLUMNS``, else the first one."""
    stated = () if settings.id_column is None else (settings.id_column,)
    return next((name for name in (*stated, *ID_COLUMNS) if name in table.columns), table.header[0])


def classes_of(table: TextTable, settings: DatasetSettings, problems: list[str]) -> tuple[str, ...]:
    """The class columns: those that ``dataset.yaml`` names, else all but the ids and the groups."""
    others = (id_column(table, settings), settings.group_column)
    if not settings.class_names:
        names = tuple(name for name in table.header if name not in others)
        if not names:
            problems.append(f"{table.path.name}: expected a column for every class, got only {first_few(table.header)}")
        return _not_reserved(table, names, problems)
    if missing := [name for name in settings.class_names if name not in table.columns or name in others]:
        problems.append(
            f"{table.path.name}: dataset.yaml names the classes {first_few(missing)}, but the table's columns are "
            f"{first_few(table.header, 20)}"
        )
    return _not_reserved(table, settings.class_names, problems)


def _not_reserved(table: TextTable, names: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    """The names, but for those that mean something else in our files, or in pandas': these are problems."""
    if reserved := [name for name in names if name in RESERVED_COLUMNS]:
        problems.append(
            f"{table.path.name}: a class cannot be called {first_few(reserved)}. Rename the column, or say in "
            "dataset.yaml what it is: id_column, group_column, or class_names without it"
        )
    if written := [name for name in names if _PANDAS_INDEX.fullmatch(name)]:
        problems.append(
            f"{table.path.name}: the column {first_few(written)} is no class, but an index that pandas has written: "
            "take it out (to_csv(..., index=False))"
        )
    return tuple(name for name in names if name not in (*reserved, *written))


def same_classes(
    table: TextTable,
    class_names: Sequence[str],
    settings: DatasetSettings,
    problems: list[str],
    *,
    exactly: bool = False,
) -> bool:
    """Whether a later table has the training table's classes, in any order; ``exactly``: and no column beside them."""
    ignored = {id_column(table, settings), settings.group_column}
    missing = [name for name in class_names if name not in table.columns]
    foreign = [name for name in table.header if name not in class_names and name not in ignored]
    if missing:
        problems.append(
            f"{table.path.name}: expected the training table's classes {first_few(class_names, 20)}, "
            f"but {first_few(missing)} are missing; it has {first_few(table.header, 20)}. Add or rename columns"
        )
    elif foreign and exactly and settings.class_names:
        problems.append(
            f"{table.path.name}: the columns {first_few(foreign)} are not among class_names of dataset.yaml, and "
            "nothing can be written in them. Give a template without them (template: FILE)"
        )
    elif foreign and not settings.class_names:
        problems.append(
            f"{table.path.name}: the columns {first_few(foreign)} are not among the training table's classes "
            f"{first_few(class_names, 20)}. Remove them, or list class_names in dataset.yaml"
        )
    return not missing


def read_labels(
    table: TextTable, class_names: Sequence[str], settings: DatasetSettings, problems: list[str]
) -> NDArray[np.float64]:
    """The labels, shape (N, C), float64: 0.0, 1.0, or NaN where the field is empty, or says that there is no label.

    Other values are added to ``problems`` by line, class and value, and read as NaN.
    """
    labels = np.full((len(table), len(class_names)), np.nan)
    for position, name in enumerate(class_names):
        labels[:, position], wrong = parse_labels(table.columns[name], settings.not_labelled)
        if len(wrong):
            problems.append(wrong_labels(table, name, wrong))
    return labels
