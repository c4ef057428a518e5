"""From a folder of anybody's tables to a ``Source`` that can be blended and scored."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.files import TableFiles, TableOptions
from ensemble.blending.foreign.folds import folds_text, given_folds, made_folds
from ensemble.blending.foreign.ids import counted
from ensemble.blending.foreign.labels import read_groups, read_labels
from ensemble.blending.foreign.reading import Reading, read_members
from ensemble.blending.foreign.unlabelled import read_test
from ensemble.blending.members import Member
from ensemble.blending.source import Source
from ensemble.dataset.groups import NO_GROUPS
from ensemble.errors import DataError, EnsembleError
from ensemble.files import sha256_of_bytes, sha256_of_file
from ensemble.predictions import PredictionTable

NO_TEST = "no tables of test rows were given (--test DIR)"


def source_of_tables(files: TableFiles, options: TableOptions | None = None) -> Source:
    """Read a folder of prediction tables, check everything, and only then complain, about all of it.

    Args:
        files: Which.
        options: How to take them; None: as they must be.

    Raises:
        DataError: A file is missing or damaged, or tables do not belong together: all problems of all files, each with
            the file's name and first ids.
        FoldError: No folds can be made: too few rows or groups.
    """
    if files.test is not None and files.test.resolve() == files.oof.resolve():
        raise DataError(f"--test {files.test}: expected another folder than --oof, with the tables of the test rows")
    reading = Reading(files, options or TableOptions(), read_labels(files.labels))
    members = read_members(reading)
    groups, groups_source = _groups(reading)
    folds, groups, groups_source = _given_folds(reading, groups, groups_source)
    test, test_groups = read_test(reading)
    if reading.notes.problems:
        raise DataError.gather(f"the tables in {files.oof} cannot be blended", reading.notes.problems)
    labels = reading.labels.rows(members.kept)
    groups = None if groups is None else groups[members.kept]
    if folds is None:
        n_folds, seed = reading.options.n_folds, reading.options.seed
        folds = made_folds(labels.image_ids, labels.values, groups, n_folds=n_folds, seed=seed)
    else:
        folds = folds[members.kept]
    _remark_on_scale(reading)
    return Source(
        name=files.oof.resolve().name,
        class_names=labels.class_names,
        image_ids=labels.image_ids,
        labels=labels.values,
        folds=folds,
        members=_members(reading, members.tables, test),
        groups=groups,
        groups_source=groups_source,
        test_groups=test_groups,
        template=files.template,
        without_test=NO_TEST,
        origin=_origin(files, folds_text(labels.image_ids, groups, folds)),
        skipped=reading.skipped,
        remarks=tuple(reading.notes.remarks),
        warnings=tuple(reading.notes.warnings),
    )


def _groups(reading: Reading) -> tuple[NDArray[np.str_] | None, str]:
    path = reading.files.groups
    if path is None:
        return None, NO_GROUPS
    try:
        return read_groups(path, reading.labels.image_ids, whose="labelled"), path.name
    except DataError as error:
        reading.notes.add_error(error)
        return None, NO_GROUPS


def _given_folds(
    reading: Reading, groups: NDArray[np.str_] | None, groups_source: str
) -> tuple[NDArray[np.int16] | None, NDArray[np.str_] | None, str]:
    """The user's folds, or None; and the groups, which the fold file may hold."""
    path = reading.files.folds
    if path is None:
        return None, groups, groups_source
    if reading.options.n_folds is not None:
        reading.notes.problems.append(f"the folds come from {path.name}: leave --n-folds out")
    try:
        folds, found = given_folds(path, reading.labels, groups)
    except EnsembleError as error:
        reading.notes.add_error(error)
        return None, groups, groups_source
    if groups is None and found is not None:
        groups_source = f"column 'group' of {path.name}"
    return folds, found, groups_source


def _remark_on_scale(reading: Reading) -> None:
    if names := reading.notes.assumed:
        reading.notes.remarks.insert(
            0,
            f"{counted(len(names), 'table')} {'does' if len(names) == 1 else 'do'} not say the scale: taken as "
            "probabilities, for all numbers lie in [0, 1]",
        )


def _members(
    reading: Reading, oof: Mapping[str, PredictionTable], test: Mapping[str, PredictionTable]
) -> tuple[Member, ...]:
    return tuple(
        Member(name, {"oof": oof[name], **({"test": test[name]} if test else {})}, hashes)
        for name, hashes in reading.hashes.items()
    )


def _origin(files: TableFiles, folds: str) -> dict[str, str]:
    """Hashes of the files that say what the rows are."""
    names = ("labels", "groups", "folds", "test_groups", "template")
    given = {name: path for name in names if (path := getattr(files, name)) is not None}
    made = {} if files.folds is not None else {"folds_sha256": sha256_of_bytes(folds.encode())}
    return {**{f"{name}_sha256": sha256_of_file(path) for name, path in given.items()}, **made}
