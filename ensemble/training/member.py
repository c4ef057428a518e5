"""A member: all folds of one recipe on one dataset."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
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
        overwrite: Discard finished folds of these numbers; all of them where the recipe has changed.

    Raises:
        ArtefactError: The member was started with another recipe.
        FoldError: A finished fold was trained on another fold file.
    """
    with locked(member.runs.lock, wait=True):
        changed = _changes_since(member)
        if changed and not overwrite:
            raise ArtefactError(
                f"{member.paths.recipe}: member {member.paths.name!r} was started with another recipe "
                f"({'; '.join(changed)}). Use --name OTHER to keep both, or --overwrite to discard what was trained"
            )
        if overwrite:
            _discard(member, range(member.folds.n_folds) if changed else folds)
        _refuse_other_folds(member)
        if changed or not member.paths.recipe.exists():
            write_text(member.paths.recipe, dump_recipe(member.recipe, member.overrides))


def _changes_since(member: Member) -> list[str]:
    if not member.paths.recipe.exists():
        return []
    return recipe_differences(load_recipe(member.paths.recipe), member.recipe)


def _discard(member: Member, folds: Sequence[int]) -> None:
    for split in SPLITS:
        member.paths.table(split).unlink(missing_ok=True)
    for fold in folds:
        paths = member.paths.fold(fold)
        if paths.folder.exists():
            with locked(paths.lock):
                shutil.rmtree(paths.folder)


def _refuse_other_folds(member: Member) -> None:
    for fold in finished_folds(member):
        stored = read_json(member.paths.fold(fold).run)
        if stored.get("folds_sha256") != member.folds.sha256:
            raise FoldError(
                f"{member.paths.fold(fold).run}: this fold was trained on another fold file than "
                f"{member.runs.folds_csv}. Use --overwrite to train it anew"
            )


def finished_folds(member: Member) -> list[int]:
    """Folds whose ``run.json`` stands."""
    return [fold for fold in range(member.folds.n_folds) if member.paths.fold(fold).run.exists()]


def train_fold(member: Member, fold: int, observer: Observer) -> None:
    """Train one fold, if it is not finished, and write its tables.

    Raises:
        ArtefactError: Another process trains this fold, or its checkpoint cannot be gone on from.
        TrainingDiverged: The loss stopped being finite.
    """
    paths = member.paths.fold(fold)
    with locked(paths.lock):
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
        "parameters": outcome.parameters,
        "table_sha256": {split: sha256_of_file(paths.table(split)) for split in outcome.logits},
        **describe_run(member.hardware, member.command, seed=member.recipe.seed, started=started),
    }


def merge_member(member: Member) -> list[int]:
    """Write the member's merged tables, if all of its folds are finished.

    Returns:
        The folds that are still missing.

    Raises:
        AlignmentError: The fold tables do not hold every training image exactly once.
    """
    with locked(member.runs.lock, wait=True):
        missing = sorted(set(range(member.folds.n_folds)) - set(finished_folds(member)))
        if not missing:
            folds = [member.paths.fold(fold) for fold in range(member.folds.n_folds)]
            merge_tables(member.paths, folds, member.dataset.train.image_ids)
        return missing
