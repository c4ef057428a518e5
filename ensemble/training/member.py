"""A member: all folds of one recipe on one dataset."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensemble.data.cache import ImageCache
from ensemble.dataset import Dataset
from ensemble.errors import ArtefactError, FoldError
from ensemble.files import locked, remove_leftovers, sha256_of_file, write_json
from ensemble.folds import FoldFile
from ensemble.recipe import Recipe, load_recipe, recipe_differences, recipe_hash
from ensemble.run_facts import RUN_VERSION, read_run
from ensemble.runs import DatasetRuns, MemberPaths
from ensemble.seeds import derive_seed
from ensemble.training.attempt import attempt_fold
from ensemble.training.checkpoint import PIXELS, ROWS, read_checkpoint
from ensemble.training.history import flattering, selection
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, Hardware, Observer, Pacing
from ensemble.training.provenance import describe_run
from ensemble.training.rows import fold_data
from ensemble.training.tables import merge_tables, write_fold_tables
from ensemble.training.team import ALONE, Team


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
        """``recipe_hash``."""
        return recipe_hash(self.recipe)

    def facts(self, fold: int) -> dict[str, str | int]:
        """What a checkpoint of this fold must agree with."""
        return {
            "fold": fold,
            "recipe": self.recipe_hash,
            "dataset": self.dataset.content_hash,
            "folds_sha256": self.folds.sha256,
            PIXELS: self.cache.sha256,
        }


def finished_folds(paths: MemberPaths, n_folds: int) -> list[int]:
    """Folds whose ``run.json`` stands."""
    return [fold for fold in range(n_folds) if paths.fold(fold).run.exists()]


def recipe_changes(paths: MemberPaths, recipe: Recipe, *, n_folds: int) -> list[str]:
    """How the recipe differs from the one that the member's folds were, or are to be, trained with."""
    if paths.recipe.exists():
        return recipe_differences(load_recipe(paths.recipe), recipe)
    finished = finished_folds(paths, n_folds)
    return [f"{paths.recipe.name} is missing, and {_listed(finished)} finished without it"] if finished else []


def other_recipe(paths: MemberPaths, changed: Sequence[str], *, n_folds: int) -> ArtefactError:
    """The error of a member that was started with another recipe."""
    finished = finished_folds(paths, n_folds)
    lost = f": {_listed(finished)} finished" if finished else ""
    return ArtefactError(
        f"{paths.recipe}: member {paths.name!r} was started with another recipe "
        f"({'; '.join(changed)}). Use --name OTHER to keep both, or --overwrite to discard what was trained{lost}"
    )


def refuse_other_recipe(member: Member) -> None:
    """See that nobody has started the member anew with another recipe.

    Raises:
        ArtefactError: Somebody has.
    """
    if changed := recipe_changes(member.paths, member.recipe, n_folds=member.folds.n_folds):
        raise other_recipe(member.paths, changed, n_folds=member.folds.n_folds)


def _listed(folds: Sequence[int]) -> str:
    return f"fold {folds[0]} is" if len(folds) == 1 else f"folds {', '.join(map(str, folds))} are"


def refuse_other_rows(member: Member, folds: Iterable[int]) -> None:
    """Finished folds that stay will be merged with those to come, so they must be of the same rows.

    Raises:
        FoldError: One was trained on another fold file, dataset or images.
    """
    for fold in folds:
        # Releases before it stored no fact of the images: such folds are taken at their word.
        stored, expected = read_run(member.paths.fold(fold).run), member.facts(fold)
        stored.setdefault(PIXELS, expected[PIXELS])
        other = [word for key, word in ROWS.items() if stored.get(key) != expected[key]]
        if other:
            raise FoldError(
                f"{member.paths.fold(fold).run}: this fold was trained on another {' and '.join(other)}. Use "
                "--all-folds --overwrite to train all folds anew, or --name for another member"
            )


def train_fold(member: Member, fold: int, observer: Observer, pacing: Pacing | None = None, team: Team = ALONE) -> None:
    """Train one fold, if it is not finished, and write its tables.

    Args:
        member: Whose fold.
        fold: From 0.
        observer: Is told of the progress.
        pacing: When to stop and how often to save; None: never, and as the cost allows.
        team: Who trains it together; the leader writes.

    Raises:
        ArtefactError: Another process trains this fold, or has started the member anew with another recipe, or the
            fold's checkpoint cannot be gone on from.
        StorageError: The disk is full, read-only or gone.
        TrainingDiverged: The loss stopped being finite.
        OutOfMemory: The machine or the device has too little memory.
        Unfinished: Somebody asked to stop.
        WorkerDied: A data worker was killed, or a process that trains along.
    """
    paths = member.paths.fold(fold)
    with team.lock(paths.lock) as lock:
        refuse_other_recipe(member)
        if team.from_leader(paths.run.exists):
            return
        if team.leads:
            remove_leftovers(paths.folder)
        started = time.time()
        checkpoint = read_checkpoint(paths.checkpoint, member.facts(fold))
        hardware = member.hardware.as_in(checkpoint)
        torch.set_num_threads(hardware.threads)
        job = FoldJob(paths, lock, hardware, member.facts(fold), pacing or Pacing(), checkpoint, team)
        team.check_same(_what_all_share(job))
        finished = finished_folds(member.paths, member.folds.n_folds)
        outcome = attempt_fold(member.recipe, rows_of_fold(member, fold), job, observer, finished=finished)
        if team.leads:
            _write_fold(member, job, outcome, started)


def _what_all_share(job: FoldJob) -> dict[str, object]:
    """By the names under which a process that differs is told."""
    facts = {ROWS.get(name, name): fact for name, fact in job.facts.items()}
    hardware = {name: fact for name, fact in job.hardware.facts().items() if name != "threads"}
    before = None if job.checkpoint is None else job.checkpoint.content["updates"]
    return {**facts, **hardware, f"{job.paths.folder.name}/{job.paths.checkpoint.name}": before}


def _write_fold(member: Member, job: FoldJob, outcome: FoldOutcome, started: float) -> None:
    fold = int(job.facts["fold"])
    write_fold_tables(
        job.paths,
        member.dataset,
        outcome.logits,
        held_out=member.folds.folds == fold,
        fold=fold,
        notes=_notes(member),
    )
    job.lock.check()
    described = describe_run(job.hardware, member.command, seed=member.recipe.seed, started=started)
    write_json(job.paths.run, {**_run_facts(member, fold, outcome), **described})
    job.paths.checkpoint.unlink(missing_ok=True)


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
        **flattering(member.recipe),
    }


def _run_facts(member: Member, fold: int, outcome: FoldOutcome) -> dict[str, object]:
    paths = member.paths.fold(fold)
    return {
        "version": RUN_VERSION,
        "member": member.paths.name,
        **member.facts(fold),
        "n_folds": member.folds.n_folds,
        "fold_seed": member.folds.fold_seed,
        "data_path": str(member.dataset.path.resolve()),
        "pixel_type": member.cache.images.dtype.name,
        "class_names": list(member.dataset.class_names),
        "select": selection(member.recipe.training),
        "chosen_epoch": outcome.chosen_epoch,
        "epochs": len(outcome.rows),
        "resumed_from_epoch": outcome.start.epoch,
        "resumed_from_image": outcome.start.images,
        **outcome.checkpoints,
        "training_seconds": sum(row.seconds for row in outcome.rows),
        "train_images_per_second": float(np.median([row.train_images_per_second for row in outcome.rows])),
        **dataclasses.asdict(outcome.network),
        "table_sha256": {split: sha256_of_file(paths.table(split)) for split in outcome.logits},
        "weights_sha256": sha256_of_file(paths.weights),
    }


def merge_member(member: Member) -> list[int]:
    """Write the member's merged tables, if all of its folds are finished.

    Returns:
        The folds that are still missing.

    Raises:
        AlignmentError: The fold tables do not hold every training image exactly once.
        ArtefactError: Another process has started the member anew with another recipe.
        FoldError: A fold was trained on another fold file, dataset or images.
    """
    with locked(member.runs.lock, wait=True):
        remove_leftovers(member.paths.folder)
        refuse_other_recipe(member)
        missing = sorted(set(range(member.folds.n_folds)) - set(finished_folds(member.paths, member.folds.n_folds)))
        if not missing:
            refuse_other_rows(member, range(member.folds.n_folds))
            folds = [member.paths.fold(fold) for fold in range(member.folds.n_folds)]
            merge_tables(member.paths, folds, member.dataset.train.image_ids)
        return missing
