"""A member: all folds of one recipe on one dataset."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ensemble.data.cache import ImageCache
from ensemble.dataset import Dataset
from ensemble.errors import ArtefactError, FoldError
from ensemble.files import locked, read_json, sha256_of_bytes, sha256_of_file, write_json, write_text
from ensemble.folds import FoldFile
from ensemble.recipe import Recipe, dump_recipe, load_recipe, recipe_differences
from ensemble.runs import SPLITS, DatasetRuns, MemberPaths
from ensemble.seeds import derive_seed
from ensemble.training.fit import fit_fold
from ensemble.training.job import FoldData, FoldOutcome, Hardware, Observer
from ensemble.training.provenance import describe_run
from ensemble.training.rows import fold_data
from ensemble.training.tables import merge_tables, write_fold_tables

RUN_VERSION = 1


@dataclass(frozen=True, eq=False)
class Member:
    """One recipe on one dataset, ready to train.

    Attributes:
        command: The command line, for ``run.json``.
        overrides: What ``--set`` changed, for the stored recipe.
    """

    recipe: Recipe
    dataset: Dataset
    folds: FoldFile
    cache: ImageCache
    runs: DatasetRuns
    paths: MemberPaths
    hardware: Hardware
    command: Sequence[str]
    overrides: Sequence[str] = ()

    @property
    def recipe_hash(self) -> str:
        """Of everything in the recipe but where the data lies."""
        data = self.recipe.data.model_copy(update={"path": None})
        return sha256_of_bytes(dump_recipe(self.recipe.model_copy(update={"data": data})).encode())

    def facts(self, fold: int) -> dict[str, str | int]:
        """What a checkpoint of this fold must agree with."""
        return {
            "fold": fold,
            "recipe": self.recipe_hash,
            "dataset": self.dataset.content_hash,
            "folds_sha256": self.folds.sha256,
            "precision": self.hardware.precision.name,
        }


def start_member(member: Member, *, folds: Sequence[int], overwrite: bool) -> None:
    """Store the resolved recipe, or check that it is the one that was stored.

    Args:
        member: What is to be trained.
        folds: Those that ``overwrite`` may discard.
        overwrite: Discard what was trained of these folds; of all folds where the recipe has changed. If anything is
            refused, nothing is discarded.

    Raises:
        ArtefactError: The member was started with another recipe, or a fold to discard is being trained.
        FoldError: A finished fold that stays was trained on another fold file or dataset.
    """
    with locked(member.runs.lock, wait=True), ExitStack() as locks:
        changed = _changes_since(member)
        if changed and not overwrite:
            raise _other_recipe(member, changed)
        discarded = list(range(member.folds.n_folds) if changed else folds) if overwrite else []
        for fold in discarded:
            locks.enter_context(locked(member.paths.fold(fold).lock))
        _refuse_others(member, [fold for fold in finished_folds(member) if fold not in discarded])
        if overwrite:
            _discard(member, discarded)
        if changed or not member.paths.recipe.exists():
            write_text(member.paths.recipe, dump_recipe(member.recipe, member.overrides))


def _changes_since(member: Member) -> list[str]:
    """How the recipe differs from the one that the member's folds were, or are to be, trained with."""
    if member.paths.recipe.exists():
        return recipe_differences(load_recipe(member.paths.recipe), member.recipe)
    finished = finished_folds(member)
    return [f"{member.paths.recipe.name} is missing, and {_listed(finished)} finished without it"] if finished else []


def _other_recipe(member: Member, changed: Sequence[str]) -> ArtefactError:
    finished = finished_folds(member)
    lost = f": {_listed(finished)} finished" if finished else ""
    return ArtefactError(
        f"{member.paths.recipe}: member {member.paths.name!r} was started with another recipe "
        f"({'; '.join(changed)}). Use --name OTHER to keep both, or --overwrite to discard what was trained{lost}"
    )


def _listed(folds: Sequence[int]) -> str:
    return f"fold {folds[0]} is" if len(folds) == 1 else f"folds {', '.join(map(str, folds))} are"


def _discard(member: Member, folds: Iterable[int]) -> None:
    """Remove the merged tables and these folds, whose locks are held: a removed lock would guard nothing."""
    for split in SPLITS:
        member.paths.table(split).unlink(missing_ok=True)
    for paths in map(member.paths.fold, folds):
        # First, because without it the fold is not finished, whatever else is left.
        paths.run.unlink(missing_ok=True)
        for path in paths.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != paths.lock:
                path.unlink()


def _refuse_others(member: Member, folds: Iterable[int]) -> None:
    """Finished folds that stay will be merged with those to come, so they must be of the same rows."""
    for fold in folds:
        stored, expected = read_json(member.paths.fold(fold).run), member.facts(fold)
        words = {"folds_sha256": "fold file", "dataset": "dataset (labels, ids or groups)"}
        other = [word for key, word in words.items() if stored.get(key) != expected[key]]
        if other:
            raise FoldError(
                f"{member.paths.fold(fold).run}: this fold was trained on another {' and '.join(other)}. Use "
                "--all-folds --overwrite to train all folds anew, or --name for another member"
            )


def finished_folds(member: Member) -> list[int]:
    """Folds whose ``run.json`` stands."""
    return [fold for fold in range(member.folds.n_folds) if member.paths.fold(fold).run.exists()]


def train_fold(member: Member, fold: int, observer: Observer) -> None:
    """Train one fold, if it is not finished, and write its tables.

    Raises:
        ArtefactError: Another process trains this fold, or has started the member anew with another recipe, or the
            fold's checkpoint cannot be gone on from.
        TrainingDiverged: The loss stopped being finite.
    """
    paths = member.paths.fold(fold)
    with locked(paths.lock):
        if changed := _changes_since(member):
            raise _other_recipe(member, changed)
        if paths.run.exists():
            return
        started = time.time()
        outcome = fit_fold(
            member.recipe,
            rows_of_fold(member, fold),
            paths=paths,
            hardware=member.hardware,
            facts=member.facts(fold),
            observer=observer,
        )
        write_fold_tables(
            paths,
            member.dataset,
            outcome.logits,
            held_out=member.folds.folds == fold,
            fold=fold,
            notes=_notes(member),
        )
        write_json(paths.run, _run_facts(member, fold, outcome, started))
        paths.checkpoint.unlink(missing_ok=True)


def rows_of_fold(member: Member, fold: int) -> FoldData:
    """The rows that fold ``fold`` trains on, watches and predicts."""
    stopping = member.recipe.training.early_stopping
    return fold_data(
        member.dataset,
        member.cache,
        member.folds.folds == fold,
        groups=member.folds.groups,
        inner_fraction=None if stopping is None else stopping.inner_fraction,
        inner_seed=derive_seed(member.recipe.seed, "inner", fold),
    )


def _notes(member: Member) -> dict[str, str]:
    return {
        "member": member.paths.name,
        "folds_sha256": member.folds.sha256,
        "n_folds": str(member.folds.n_folds),
        "select": member.recipe.training.select,
    }


def _run_facts(member: Member, fold: int, outcome: FoldOutcome, started: float) -> dict[str, object]:
    paths = member.paths.fold(fold)
    return {
        "version": RUN_VERSION,
        "member": member.paths.name,
        **member.facts(fold),
        "n_folds": member.folds.n_folds,
        "data_path": str(member.dataset.path.resolve()),
        "class_names": list(member.dataset.class_names),
        "select": member.recipe.training.select,
        "chosen_epoch": outcome.chosen_epoch,
        "epochs": len(outcome.rows),
        "resumed_from_epoch": outcome.resumed_from_epoch,
        "training_seconds": sum(row.seconds for row in outcome.rows),
        "train_images_per_second": float(np.median([row.train_images_per_second for row in outcome.rows])),
        **dataclasses.asdict(outcome.network),
        "table_sha256": {split: sha256_of_file(paths.table(split)) for split in outcome.logits},
        **describe_run(member.hardware, member.command, seed=member.recipe.seed, started=started),
    }


def merge_member(member: Member) -> list[int]:
    """Write the member's merged tables, if all of its folds are finished.

    Returns:
        The folds that are still missing.

    Raises:
        AlignmentError: The fold tables do not hold every training image exactly once.
        ArtefactError: Another process has started the member anew with another recipe.
        FoldError: A fold was trained on another fold file or dataset.
    """
    with locked(member.runs.lock, wait=True):
        if changed := _changes_since(member):
            raise _other_recipe(member, changed)
        missing = sorted(set(range(member.folds.n_folds)) - set(finished_folds(member)))
        if not missing:
            _refuse_others(member, range(member.folds.n_folds))
            folds = [member.paths.fold(fold) for fold in range(member.folds.n_folds)]
            merge_tables(member.paths, folds, member.dataset.train.image_ids)
        return missing
