"""Which files of a folder are members, which hold their test rows, and why the others do not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ensemble.blending.foreign.ids import close_name, counted
from ensemble.blending.foreign.opening import OPENERS, open_table
from ensemble.blending.foreign.table import OpenTable
from ensemble.errors import DataError, first_few

NEVER_MEMBERS = ("labels", "groups", "folds", "sample_submission")


@dataclass
class Folder:
    """What was found in a folder of tables.

    Attributes:
        path: The folder.
        files: Name (the file's, without its ending) to file; sorted by name.
        skipped: File names to why they are not among them.
        problems: What has to be mended.
    """

    path: Path
    files: dict[str, Path] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def look_through(path: Path, *, flag: str, taken: dict[Path, str]) -> Folder:
    """Sort a folder's entries; nothing is opened.

    Args:
        path: The folder.
        flag: Which named it, for messages.
        taken: Resolved paths of files that have another purpose, to the flag that says so.

    Raises:
        DataError: There is no such folder.
    """
    if not path.is_dir():
        what = "this is a file" if path.exists() else "there is no such folder"
        raise DataError(f"{flag} {path}: expected a folder of tables, but {what}")
    folder, others = Folder(path), []
    for entry in sorted(path.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.suffix.lower() not in OPENERS or not entry.is_file():
            others.append(entry.name)
        elif (used := taken.get(entry.resolve())) is not None:
            folder.skipped[entry.name] = f"given by {used}"
        elif entry.stem.lower() in NEVER_MEMBERS:
            folder.skipped[entry.name] = "a file of this name is never a member"
        else:
            _add(folder, entry)
    if others:
        folder.skipped[first_few(others, 3).replace("'", "")] = f"no {', '.join(OPENERS)} file"
    return folder


def _add(folder: Folder, entry: Path) -> None:
    name = entry.stem
    if (other := folder.files.get(name)) is not None:
        folder.problems.append(
            f"{other.name} and {entry.name} would be one member {name!r}: rename or remove one of them"
        )
    folder.files.setdefault(name, entry)


def keep_named(folder: Folder, names: Sequence[str]) -> None:
    """Leave only the members that a user named; none named: all stay."""
    if double := sorted({name for name in names if list(names).count(name) > 1}):
        folder.problems.append(f"members named more than once: {first_few(double)}. Name each once")
    for name in (name for name in dict.fromkeys(names) if name not in folder.files):
        near = difflib.get_close_matches(name, folder.files, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {first_few(folder.files, 20) or 'none'}"
        folder.problems.append(f"no table of a member {name!r}: {hint}")
    for name in [name for name in folder.files if names and name not in names]:
        folder.skipped[folder.files.pop(name).name] = "not named"


def open_with_classes(path: Path, class_names: Sequence[str], *, labels: str, ignore_extra: bool) -> OpenTable | None:
    """Open a table and check its columns; None if none of them is a class.

    Args:
        path: The file.
        class_names: C names, those of the label table.
        labels: The label table's name, for messages.
        ignore_extra: Columns that are no class are left aside, not refused.

    Raises:
        DataError: It cannot be opened, a class is missing, or a column is none.
        ArtefactError: It is a prediction table of ours, of another version.
    """
    table = open_table(path)
    near = {column: close for column in table.columns if (close := close_name(column, class_names))}
    if not near and not set(class_names) & set(table.columns):
        return None
    if problems := _column_problems(table, class_names, near, labels=labels, ignore_extra=ignore_extra):
        raise DataError(f"{table.where}: {'; '.join(problems)}")
    return table


def _column_problems(
    table: OpenTable, class_names: Sequence[str], near: dict[str, str], *, labels: str, ignore_extra: bool
) -> list[str]:
    missing = [name for name in class_names if name not in table.columns]
    extra = [name for name in table.columns if name not in class_names and name != "fold"]
    spelled = [f"{column!r} for {near[column]!r}" for column in extra if near.get(column) in missing]
    surplus = [column for column in extra if near.get(column) not in missing]
    problems = []
    if missing:
        hint = f" (are these meant: {', '.join(spelled[:5])}? Case and spaces count)" if spelled else ""
        problems.append(f"{counted(len(missing), 'column')} of {labels} missing: {first_few(missing)}{hint}")
    if surplus and not ignore_extra:
        problems.append(
            f"{counted(len(surplus), 'column')} not in {labels}: {first_few(surplus)}. Take them out, or leave such "
            "columns aside with --ignore-extra-columns"
        )
    return problems
