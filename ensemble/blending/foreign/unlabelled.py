"""The members' tables of the test rows, and the groups of these."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.folder import look_through
from ensemble.blending.foreign.ids import counted, unusable_ids
from ensemble.blending.foreign.joining import Wanted, join_tables
from ensemble.blending.foreign.labels import read_groups
from ensemble.blending.foreign.reading import Reading
from ensemble.blending.foreign.table import OpenTable
from ensemble.dataset.template_kind import other_kind, template_kind
from ensemble.errors import DataError, EnsembleError, first_few
from ensemble.predictions import PredictionTable
from ensemble.submission import read_template
from ensemble.tables import read_table


def read_test(reading: Reading) -> tuple[Mapping[str, PredictionTable], NDArray[np.str_] | None]:
    """A table a member, all of the same rows in the same order, and the groups of the rows if they are known.

    The rows are the template's; without one, those of the first member.
    """
    if reading.files.test is None:
        return {}, None
    opened = _open(reading, reading.files.test)
    try:
        wanted = _wanted_rows(reading, opened)
    except EnsembleError as error:
        reading.notes.add_error(error)
        return {}, None
    joined = join_tables(opened, wanted, options=reading.options, notes=reading.notes)
    return joined.tables, _groups(reading, wanted.image_ids[joined.kept])


def _open(reading: Reading, path: Path) -> dict[str, OpenTable]:
    folder = look_through(path, flag="--test", taken=reading.files.taken())
    members, problems = list(reading.hashes), reading.notes.problems
    problems += [f"{path.name}/: {problem}" for problem in folder.problems]
    if lacking := [name for name in members if name not in folder.files]:
        problems.append(
            f"{path}: no table of {counted(len(lacking), 'member')}: {first_few(lacking)}. Its table of the test rows "
            "has the member's name, in any of the formats"
        )
    opened = {}
    for name in (name for name in members if name in folder.files):
        table = reading.open(folder, name, "test")
        if table is not None:
            opened[name] = table
        elif (why := folder.skipped.get(folder.files[name].name)) is not None:
            problems.append(f"{path.name}/{folder.files[name].name}: {why}")
    for name in (name for name in folder.files if name not in members):
        reading.skipped[f"{path.name}/{folder.files[name].name}"] = "no member of this name"
    return opened


def _wanted_rows(reading: Reading, opened: Mapping[str, OpenTable]) -> Wanted:
    class_names, path = reading.labels.class_names, reading.files.template
    if path is not None:
        if kind := template_kind(read_table(path), class_names):
            raise DataError(f"{path}: {other_kind(kind, class_names, remedy='Give another --template, or none')}")
        template = read_template(path)
        if sorted(template.class_names) != sorted(class_names):
            raise DataError(
                f"{path}: expected the classes of {reading.files.labels.name}, {first_few(class_names, 20)}, got "
                f"{first_few(template.class_names, 20)}"
            )
        return Wanted(template.image_ids, class_names, path.name, whole=True)
    if not opened:
        return Wanted(np.array([], dtype=np.str_), class_names, "no table")
    first = next(iter(opened.values()))
    image_ids, _ = first.load([])
    if problems := unusable_ids(image_ids, where=first.where):
        raise DataError("; ".join(problems))
    return Wanted(image_ids, class_names, first.where)


def _groups(reading: Reading, image_ids: NDArray[np.str_]) -> NDArray[np.str_] | None:
    """Those of ``--test-groups``, which must know every test row; else those of ``--groups``, if it knows all."""
    files = reading.files
    if files.test_groups is None and files.groups is None:
        return None
    try:
        return read_groups(files.test_groups or files.groups or Path(), image_ids, whose="test")
    except DataError as error:
        if files.test_groups is not None:
            reading.notes.add_error(error)
        return None
