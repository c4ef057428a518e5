"""Label tables: ids and 0/1 columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IdRow
from ensemble.dataset.settings import DatasetSettings
from ensemble.errors import first_few
from ensemble.tables import TextTable, parse_numbers, shortened

RESERVED_COLUMNS = ("image_id", "fold", "group")


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
    """The column ``id_column`` of ``dataset.yaml`` where the table has it, else the first one."""
    stated = settings.id_column
    return stated if stated is not None and stated in table.columns else table.header[0]


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
    """The names; a problem is noted for those that prediction tables and fold files use for something else."""
    if reserved := [name for name in names if name in RESERVED_COLUMNS]:
        problems.append(
            f"{table.path.name}: a class cannot be called {first_few(reserved)}. Rename the column, or say in "
            "dataset.yaml what it is: group_column, or class_names without it"
        )
    return names


def same_classes(table: TextTable, class_names: Sequence[str], settings: DatasetSettings, problems: list[str]) -> bool:
    """Whether a later table has the training table's classes, in any order."""
    ignored = {id_column(table, settings), settings.group_column}
    missing = [name for name in class_names if name not in table.columns]
    foreign = [name for name in table.header if name not in class_names and name not in ignored]
    if missing:
        problems.append(
            f"{table.path.name}: expected the training table's classes {first_few(class_names, 20)}, "
            f"but {first_few(missing)} are missing; it has {first_few(table.header, 20)}. Add or rename columns"
        )
    elif foreign and not settings.class_names:
        problems.append(
            f"{table.path.name}: the columns {first_few(foreign)} are not among the training table's classes "
            f"{first_few(class_names, 20)}. Remove them, or list class_names in dataset.yaml"
        )
    return not missing


def read_labels(table: TextTable, class_names: Sequence[str], problems: list[str]) -> NDArray[np.float64]:
    """The labels, shape (N, C), float64: 0.0, 1.0, or NaN where the field is empty or says NaN.

    Values that are neither 0 nor 1 are added to ``problems`` by line, class and value, and read as NaN.
    """
    labels = np.full((len(table), len(class_names)), np.nan)
    for position, name in enumerate(class_names):
        values, refused = parse_numbers(table.columns[name])
        wrong = np.union1d(refused, np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1)))
        if len(wrong):
            problems.append(_wrong_labels(table, name, wrong))
        values[wrong] = np.nan
        labels[:, position] = values
    return labels


def _wrong_labels(table: TextTable, name: str, wrong: NDArray[np.intp]) -> str:
    texts = table.columns[name]
    shown = shortened([f"line {table.lines[row]}: {str(texts[row])!r}" for row in wrong])
    hint = (
        ". If the column is no class, name the classes (class_names) in dataset.yaml"
        if 2 * len(wrong) > len(table)
        else ". Correct the file; leave a field empty where the label is not known"
    )
    return f"{table.path.name}, class {name!r}: expected 0 or 1 (empty: not labelled), got {shown}{hint}"
