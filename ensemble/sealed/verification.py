"""All that finished folds left, checked against their hashes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ensemble.errors import ArtefactError, EnsembleError, first_few
from ensemble.folds import read_folds
from ensemble.predictions import read_predictions
from ensemble.run_facts import read_run
from ensemble.runs import SPLITS, DatasetRuns, FoldPaths, MemberPaths
from ensemble.sealed.tables import check_sealed, check_unchanged, read_fold_table

_WEIGHTS = "weights_sha256"
_OF_A_MEMBER = re.compile(r"recipe\.yaml|(oof|holdout|test)\.parquet|fold_[0-9]+|\..*\.tmp")
_FOLD = re.compile(r"fold_[0-9]{1,9}")
_OF_A_FOLD = re.compile(
    r"checkpoint\.pt|model\.safetensors|metrics\.csv|train\.log|run\.json|(oof|holdout|test)\.parquet|\.lock|\..*\.tmp"
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
    foreign = [path for one in members for path in _foreign_to_member(one)]
    foreign += [path for one in finished for path in _foreign(one.folder, _OF_A_FOLD)]
    return Verification(len(checks), tuple(unsealed), unfinished, tuple(foreign))


def _foreign_to_member(member: MemberPaths) -> list[Path]:
    """What training does not write, and folds that the fold file does not know."""
    unknown = [path for path in _fold_folders(member) if not _is_known(path, _n_folds(member))]
    return sorted([*_foreign(member.folder, _OF_A_MEMBER), *unknown])


def _foreign(folder: Path, ours: re.Pattern[str]) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not ours.fullmatch(path.name)]


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
    """All folds that the fold file names, or the one that was asked for."""
    n_folds = _n_folds(member)
    found = [path for path in _fold_folders(member) if path == folder or _is_known(path, n_folds)]
    return [FoldPaths(path) for path in found if path == folder] or [FoldPaths(path) for path in found]


def _fold_folders(member: MemberPaths) -> list[Path]:
    return [path for path in sorted(member.folder.glob("fold_*")) if path.is_dir() and _FOLD.fullmatch(path.name)]


def _is_known(fold: Path, n_folds: int | None) -> bool:
    return n_folds is None or int(fold.name.removeprefix("fold_")) < n_folds


def _n_folds(member: MemberPaths) -> int | None:
    """K of the fold file; None where it cannot be read, which is a problem of its own."""
    try:
        return read_folds(DatasetRuns(member.folder.parent)).n_folds
    except EnsembleError:
        return None


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
    n_folds = _n_folds(member)
    return n_folds is not None and all(member.fold(fold).run.exists() for fold in range(n_folds))


def _check_merged(member: MemberPaths) -> None:
    folds = [FoldPaths(path) for path in _fold_folders(member) if _is_known(path, _n_folds(member))]
    finished = [fold.run for fold in folds if fold.run.exists()]
    sealed = [read_run(path).get("table_sha256", {}) for path in finished]
    due = [split for split in SPLITS if all(split in one for one in sealed)]
    if missing := [member.table(split).name for split in due if not member.table(split).exists()]:
        raise ArtefactError(
            f"{member.folder}: the merged table {first_few(missing)} is missing. The command that trained the member "
            "merges it anew"
        )
    tables = {split: read_predictions(member.table(split)) for split in SPLITS if member.table(split).exists()}
    check_unchanged(member, tables, n_folds=len(finished))


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except EnsembleError as error:
        return str(error)
    return ""
