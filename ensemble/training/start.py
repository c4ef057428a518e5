"""Start a member: its recipe is stored, or found to be the one that was stored; what is to go is discarded."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from ensemble.files import locked, remove_leftovers, write_text
from ensemble.recipe import Recipe, dump_recipe
from ensemble.runs import SPLITS, MemberPaths
from ensemble.training.member import Member, finished_folds, other_recipe, recipe_changes, refuse_other_rows


def check_start(paths: MemberPaths, recipe: Recipe, *, n_folds: int, overwrite: bool) -> None:
    """Refuse what ``start_member`` will, as far as that is known before there are folds and decoded images.

    Raises:
        ArtefactError: The member was started with another recipe, and something of it stands.
    """
    changed = recipe_changes(paths, recipe, n_folds=n_folds)
    if changed and not overwrite and _stands(paths, n_folds):
        raise other_recipe(paths, changed, n_folds=n_folds)


def start_member(member: Member, *, folds: Sequence[int], overwrite: bool) -> None:
    """Store the resolved recipe, or check that it is the one that was stored.

    A member of which neither a finished fold nor a checkpoint stands (its first start was refused, or diverged at once)
    takes a changed recipe as it is.

    Args:
        member: What is to be trained.
        folds: Those that ``overwrite`` may discard.
        overwrite: Discard what was trained of these folds; of all folds where the recipe has changed. If anything is
            refused, nothing is discarded.

    Raises:
        ArtefactError: The member was started with another recipe, or a fold to discard is being trained.
        FoldError: A finished fold that stays was trained on another fold file, dataset or images.
    """
    n_folds = member.folds.n_folds
    with locked(member.runs.lock, wait=True), ExitStack() as locks:
        changed = recipe_changes(member.paths, member.recipe, n_folds=n_folds)
        check_start(member.paths, member.recipe, n_folds=n_folds, overwrite=overwrite)
        discarded = list(range(n_folds) if changed else folds) if overwrite else []
        # A fold that is in its first epoch has left nothing yet but its lock, held.
        for fold in range(n_folds) if changed else discarded:
            locks.enter_context(locked(member.paths.fold(fold).lock))
        stay = [fold for fold in finished_folds(member.paths, n_folds) if fold not in discarded]
        refuse_other_rows(member, stay)
        if overwrite:
            _discard(member.paths, discarded)
        remove_leftovers(member.paths.folder)
        # What counts in no hash may have changed, too, as long as nothing was trained.
        if changed or not member.paths.recipe.exists() or not _stands(member.paths, n_folds):
            write_text(member.paths.recipe, dump_recipe(member.recipe, member.overrides))


def _stands(paths: MemberPaths, n_folds: int) -> bool:
    """Whether anything was trained that another recipe would not go with."""
    return any(paths.fold(fold).run.exists() or paths.fold(fold).checkpoint.exists() for fold in range(n_folds))


def _discard(paths: MemberPaths, folds: Iterable[int]) -> None:
    """Remove the merged tables and these folds, whose locks are held: a removed lock would guard nothing."""
    for split in SPLITS:
        paths.table(split).unlink(missing_ok=True)
    for fold in map(paths.fold, folds):
        # First, because without it the fold is not finished, whatever else is left.
        fold.run.unlink(missing_ok=True)
        for path in fold.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != fold.lock:
                path.unlink()
