"""Which members can be blended, and their tables on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ensemble.errors import AlignmentError, ArtefactError, DataError, first_few
from ensemble.files import sha256_of_file
from ensemble.predictions import PredictionTable, read_predictions
from ensemble.run_facts import read_run
from ensemble.runs import SPLITS, DatasetRuns, MemberPaths
from ensemble.sealed import check_unchanged


@dataclass(frozen=True, eq=False)
class Member:
    """A finished member and what it says.

    Attributes:
        name: The member's.
        tables: By split, one of ``SPLITS``; ``oof`` is always there.
        sha256: Of each table's file, by split.
    """

    name: str
    tables: Mapping[str, PredictionTable]
    sha256: Mapping[str, str]

    @property
    def epoch_picked(self) -> bool:
        """Whether training picked its epoch on the out-of-fold rows."""
        return self.tables["oof"].notes.get("select") == "best_on_fold"

    @property
    def searched(self) -> bool:
        """Whether its settings were found by ``tune``, most likely on some of the out-of-fold rows."""
        return "searched" in self.tables["oof"].notes


def choose_members(
    runs: DatasetRuns, names: Sequence[str] = (), *, n_folds: int
) -> tuple[list[MemberPaths], dict[str, str]]:
    """The members to blend: those that a user named, else all finished ones.

    Args:
        runs: Of the dataset.
        names: The members; none: all finished ones.
        n_folds: K of the dataset's folds.

    Returns:
        Finished members; and those that were left out because they are not, name to reason.

    Raises:
        DataError: There is no such member, one is named twice, or none is finished.
        ArtefactError: A named member is not finished; says which command finishes it.
    """
    if names:
        return _named(runs, names, n_folds), {}
    unfinished = {member.name: why for member in runs.members() if (why := _unfinished(member, n_folds))}
    finished = [member for member in runs.members() if member.name not in unfinished]
    if not finished:
        remedies = [f"{name}: {why}. {_remedy(runs, name)}" for name, why in unfinished.items()]
        remedies = remedies or ["train one: python -m ensemble.train RECIPE --all-folds --data DIR"]
        raise DataError.gather(f"{runs.folder} has no member with all folds done", remedies)
    return finished, unfinished


def _named(runs: DatasetRuns, names: Sequence[str], n_folds: int) -> list[MemberPaths]:
    known = [member.name for member in runs.members()]
    if unknown := [name for name in names if name not in known]:
        raise DataError(f"{runs.folder} has no member {first_few(unknown)}; it has {first_few(known, 20) or 'none'}")
    if double := sorted({name for name in names if list(names).count(name) > 1}):
        raise DataError(f"members named more than once: {first_few(double)}. Name each once")
    members = [runs.member(name) for name in names]
    reasons = {member.name: why for member in members if (why := _unfinished(member, n_folds))}
    if problems := [f"{name}: {why}. {_remedy(runs, name)}" for name, why in reasons.items()]:
        raise ArtefactError.gather("members that were named are not finished", problems)
    return members


def read_member(paths: MemberPaths, *, n_folds: int, content_hash: str | None = None) -> Member:
    """Read all tables that a finished member left, and check that nobody changed them.

    Args:
        paths: Of the member.
        n_folds: K of the dataset's folds.
        content_hash: ``Dataset.content_hash`` of the rows and labels that it must have been trained on; None: any.

    Raises:
        ArtefactError: A table is damaged, of another version, or was changed after training.
        AlignmentError: A table's shape is wrong, or the dataset was another when a fold was trained.
    """
    _refuse_other_dataset(paths, n_folds, content_hash)
    files = {split: paths.table(split) for split in SPLITS if paths.table(split).exists()}
    tables = {split: read_predictions(path) for split, path in files.items()}
    check_unchanged(paths, tables, n_folds=n_folds)
    return Member(paths.name, tables, {split: sha256_of_file(path) for split, path in files.items()})


def _refuse_other_dataset(paths: MemberPaths, n_folds: int, content_hash: str | None) -> None:
    """Old folds.csv files come back with the same bytes; labels that were corrected meanwhile do not."""
    for fold in range(n_folds):
        run = paths.fold(fold).run
        trained_on = read_run(run).get("dataset", content_hash)
        if content_hash is not None and trained_on != content_hash:
            raise AlignmentError(
                f"{run}: expected a fold trained on the dataset as it is now (sha256 {content_hash[:12]}), got "
                f"{str(trained_on)[:12]}: ids, labels, groups or class names changed since. Train member "
                f"{paths.name!r} again with --overwrite, or leave it out by naming the others"
            )


def tables_of(members: Sequence[Member], split: str) -> dict[str, PredictionTable]:
    """The members' tables of ``split``, all or none.

    Raises:
        AlignmentError: Some members have such a table and some do not.
    """
    having = {member.name: member.tables[split] for member in members if split in member.tables}
    if having and (lacking := [member.name for member in members if member.name not in having]):
        raise AlignmentError(
            f"the members {first_few(lacking)} have no {split} table, but {first_few(having)} have one. "
            "Train them again with --overwrite, or leave them out by naming the others"
        )
    return having


def _unfinished(member: MemberPaths, n_folds: int) -> str | None:
    """Why a member cannot be blended yet; None if it can."""
    missing = [str(fold) for fold in range(n_folds) if not member.fold(fold).run.exists()]
    if missing:
        return f"{'folds' if len(missing) > 1 else 'fold'} {', '.join(missing)} not finished (of {n_folds})"
    if not member.table("oof").exists():
        return "all folds are done but not merged"
    return None


def _remedy(runs: DatasetRuns, name: str) -> str:
    recipe = runs.member(name).recipe
    return f"Finish it: python -m ensemble.train {recipe} --all-folds --name {name} --runs {runs.folder.parent}"
