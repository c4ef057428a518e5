"""What people say of their tables: which files, and how to take them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from ensemble.predictions import Scale


@dataclass(frozen=True)
class TableFiles:
    """Files and folders of tables.

    Attributes:
        oof: The folder whose tables are the members, named after their files; rows are the labelled ones.
        labels: CSV: ids, and a column a class of 0, 1 or nothing.
        groups: CSV ``id,group``: what belongs together, e.g. the patient; None: every row is independent.
        folds: CSV ``id,fold``; None: folds are made.
        test: The folder that holds a table of the same name for the test rows of every member.
        test_groups: CSV ``id,group`` of the test rows; None: ``groups`` is asked.
        template: The sample submission: which test rows, in which order and form.
        members: Names of the members; none: all tables in ``oof``.
    """

    oof: Path
    labels: Path
    groups: Path | None = None
    folds: Path | None = None
    test: Path | None = None
    test_groups: Path | None = None
    template: Path | None = None
    members: tuple[str, ...] = ()

    def taken(self) -> dict[Path, str]:
        """Resolved paths of the files that are no members, to the flag that names them."""
        flags = {field.name: "--" + field.name.replace("_", "-") for field in fields(self)}
        single = ("labels", "groups", "folds", "test_groups", "template")
        return {path.resolve(): flags[name] for name in single if (path := getattr(self, name)) is not None}


@dataclass(frozen=True)
class TableOptions:
    """How tables are taken.

    Attributes:
        scale: What the numbers of tables are that do not say; None: probabilities, which must lie in [0, 1].
        only_common_rows: Blend the rows that the labels and all tables have, instead of refusing others.
        ignore_extra_columns: Leave columns aside that are no class, instead of refusing them.
        n_folds: How many folds are made; None: 5.
        seed: Of the folds that are made.
    """

    scale: Scale | None = None
    only_common_rows: bool = False
    ignore_extra_columns: bool = False
    n_folds: int | None = None
    seed: int = 0
