"""Whether what training left is still what it left: a table that was edited is not out-of-fold any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.errors import ArtefactError, EnsembleError, first_few
from ensemble.files import sha256_of_file
from ensemble.folds import read_folds
from ensemble.predictions import PredictionTable, mean_of_fold_models, merge_out_of_fold, read_predictions
from ensemble.run_facts import read_run
from ensemble.runs import SPLITS, DatasetRuns, FoldPaths, MemberPaths

_WEIGHTS = "weights_sha256"
_OF_A_MEMBER = re.compile(r"recipe\.yaml|(oof|holdout|test)\.parquet|fold_[0-9]+|\..*\.tmp")
_OF_A_FOLD = re.compile(
    r"checkpoint\.pt|model\.safetensors|metrics\.csv|train\.log|run\.json|(oof|holdout|test)\.parquet|\.lock|\..*\.tmp"
)
_TOLERANCE = 1e-4  # of a mean's logits: another processor may round the last bit otherwise


def check_unchanged(paths: MemberPaths, tables: Mapping[str, PredictionTable], *, n_folds: int) -> None:
    """Refuse merged tables that do not follow from the fold tables, and fold tables that are not the run's.

    Args:
        paths: Of the member, all of whose folds are finished.
        tables: Its merged tables, by split.
        n_folds: K of the dataset's folds.

    Raises:
        ArtefactError: A table was changed, or a fold table is missing or damaged; names the file.
    """
    for split, table in tables.items():
        parts = [read_fold_table(paths.fold(fold), split) for fold in range(n_folds)]
        if not _follows(table, parts, split):
            raise ArtefactError(
                f"{paths.table(split)}: expected what its {n_folds} fold tables say, got other contents: "
                "it was changed after it was merged. The command that trained the member merges it anew"
            )


def read_fold_table(fold: FoldPaths, split: str) -> PredictionTable:
    """A fold's own table of ``split``, if it is still what training left.

    Raises:
        ArtefactError: It is missing, damaged or was changed.
    """
    path = fold.table(split)
    table = read_predictions(path)
    check_sealed(path, read_run(fold.run).get("table_sha256", {}).get(split), seal=fold.run)
    return table


def check_sealed(path: Path, expected: str | None, *, seal: Path) -> None:
    """Refuse a file of a finished fold that is not what its ``run.json`` says.

    Args:
        path: The file; it exists.
        expected: Hex SHA-256 that was stored.
        seal: The ``run.json``.

    Raises:
        ArtefactError: The file was changed.
    """
    found = sha256_of_file(path)
    if found != expected:
        raise ArtefactError(
            f"{path}: expected sha256 {str(expected)[:12]} as {seal.name} says, got {found[:12]}: it was changed "
            "after training. Put the old file back, or train this fold again with --overwrite"
        )


def _follows(table: PredictionTable, parts: Sequence[PredictionTable], split: str) -> bool:
    """Whether ``table`` is what merging ``parts`` gives, in whichever order of rows it has."""
    if split == "oof":
        ids = np.concatenate([part.image_ids for part in parts])
        if not np.array_equal(np.sort(ids), np.sort(table.image_ids)):
            return False
        merged, tolerance = merge_out_of_fold(parts, table.image_ids), 0.0
    else:
        merged, tolerance = mean_of_fold_models(parts), _TOLERANCE
    return (
        np.array_equal(merged.image_ids, table.image_ids)
        and (merged.class_names, merged.scale, merged.notes) == (table.class_names, table.scale, table.notes)
        and (table.folds is None) == (merged.folds is None)
        and (table.folds is None or merged.folds is None or np.array_equal(merged.folds, table.folds))
        and np.allclose(merged.values, table.values, rtol=tolerance, atol=tolerance, equal_nan=True)
    )


@dataclass(frozen=True)
class Verification:
    """What was found in the run folders that were looked at.

    Attributes:
        checked: How many checks passed: a fold's recipe and fold file, each table, its weights, the merged tables.
        unsealed: Files of which no hash was stored, so that nothing can be said.
        unfinished: Folds without ``run.json``.
        foreign: Files and folders that training does not write; nothing reads them.
    """

    checked: int
    unsealed: tuple[Path, ...]
    unfinished: tuple[Path, ...]
    foreign: tuple[Path, ...]


def verify(folder: Path) -> Verification:
    """Check everything that finished folds left against the hashes in their ``run.json``.

    That is: the fold file, the resolved recipe, the fold's tables and weights, and the member's merged tables; none may
    be missing, and no table may have been added. Not checked are ``metrics.csv`` and ``train.log``, which nothing
    reads, and the dataset, which the run does not hold.

    Args:
        folder: Of a fold, a member, or a dataset's runs.

    Raises:
        ArtefactError: ``folder`` holds no runs, or something was changed, is missing or damaged: all of it at once.
    """
    members = _members_in(folder)
    folds = [fold for member in members for fold in _folds_of(member, folder)]
    finished = [fold for fold in folds if fold.run.exists()]
    checks = [check for fold in finished for check in _fold_checks(fold)]
    checks += [partial(_check_merged, member) for member in members if _is_merged(member)]
    problems = list(dict.fromkeys(filter(None, map(_problem, checks))))
    if problems:
        raise ArtefactError.gather(f"{folder} is not as training left it", problems)
    unsealed = [fold.weights for fold in finished if _WEIGHTS not in read_run(fold.run)]
    unfinished = tuple(fold.folder for fold in folds if not fold.run.exists())
    foreign = [*_foreign(members, _OF_A_MEMBER), *_foreign(finished, _OF_A_FOLD)]
    return Verification(len(checks), tuple(unsealed), unfinished, tuple(foreign))


def _foreign(folders: Sequence[MemberPaths] | Sequence[FoldPaths], ours: re.Pattern[str]) -> Iterator[Path]:
    for one in folders:
        yield from (path for path in sorted(one.folder.iterdir()) if not ours.fullmatch(path.name))


def _members_in(folder: Path) -> list[MemberPaths]:
    """The members at, below or around ``folder``."""
    places = [folder.parent, folder] if folder.name.startswith("fold_") else [folder]
    members = [MemberPaths(place) for place in places if any(place.glob("fold_*/run.json"))]
    members = members or [MemberPaths(path) for path in sorted(folder.glob("*")) if any(path.glob("fold_*/run.json"))]
    if not members:
        raise ArtefactError(
            f"{folder}: expected the folder of a dataset's runs, of a member or of a fold (with a finished fold's "
            "run.json in it), found none"
        )
    return members


def _folds_of(member: MemberPaths, folder: Path) -> list[FoldPaths]:
    """All folds, or the one that was asked for."""
    folds = [FoldPaths(path) for path in sorted(member.folder.glob("fold_*")) if path.is_dir()]
    return [fold for fold in folds if fold.folder == folder] or folds


def _fold_checks(fold: FoldPaths) -> Iterator[Callable[[], object]]:
    """One a file."""
    try:
        facts = read_run(fold.run)
    except ArtefactError:
        yield partial(read_run, fold.run)
        return
    yield partial(_check_shared, fold, facts)
    there = [split for split in SPLITS if split in facts.get("table_sha256", {}) or fold.table(split).exists()]
    yield from (partial(read_fold_table, fold, split) for split in there)
    if _WEIGHTS in facts:
        yield partial(_check_weights, fold, facts[_WEIGHTS])


def _check_shared(fold: FoldPaths, facts: Mapping[str, Any]) -> None:
    """The recipe and the fold file are those that the fold was trained with."""
    from ensemble.recipe import stored_recipe_hash  # noqa: PLC0415 - blends of tables need no recipe's schema

    member = MemberPaths(fold.folder.parent)
    if stored_recipe_hash(member.recipe) != facts.get("recipe"):
        raise ArtefactError(
            f"{member.recipe}: it is not the recipe that {fold.run} was trained with: put that one back"
        )
    folds = DatasetRuns(member.folder.parent)
    if read_folds(folds).sha256 != facts.get("folds_sha256"):
        raise ArtefactError(f"{folds.folds_csv}: not the fold file that {fold.run} was trained with: put that one back")


def _check_weights(fold: FoldPaths, expected: str) -> None:
    if not fold.weights.exists():
        raise ArtefactError(f"{fold.weights}: the fold's weights are missing. Put them back, or train it anew")
    check_sealed(fold.weights, expected, seal=fold.run)


def _is_merged(member: MemberPaths) -> bool:
    """Whether there are merged tables, or ought to be: all folds that the fold file names are finished."""
    if any(member.table(split).exists() for split in SPLITS):
        return True
    try:
        n_folds = read_folds(DatasetRuns(member.folder.parent)).n_folds
    except EnsembleError:  # a problem of its own
        return False
    return all(member.fold(fold).run.exists() for fold in range(n_folds))


def _check_merged(member: MemberPaths) -> None:
    sealed = [read_run(path).get("table_sha256", {}) for path in member.folder.glob("fold_*/run.json")]
    due = [split for split in SPLITS if all(split in one for one in sealed)]
    if missing := [member.table(split).name for split in due if not member.table(split).exists()]:
        raise ArtefactError(
            f"{member.folder}: the merged table {first_few(missing)} is missing. The command that trained the member "
            "merges it anew"
        )
    tables = {split: read_predictions(member.table(split)) for split in SPLITS if member.table(split).exists()}
    check_unchanged(member, tables, n_folds=len(list(member.folder.glob("fold_*/run.json"))))


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except EnsembleError as error:
        return str(error)
    return ""
