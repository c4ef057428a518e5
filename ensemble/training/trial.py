"""One trial of a search: train on a part of the rows outside the held-out fold, and score on the rest of them."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.data.cache import ImageCache
from ensemble.dataset import Dataset
from ensemble.errors import DataError, OutOfMemory, TrainingDiverged
from ensemble.files import locked, remove_leftovers
from ensemble.folds import FoldFile
from ensemble.recipe import Recipe, recipe_hash
from ensemble.runs import FoldPaths
from ensemble.search.trials import Pruned
from ensemble.seeds import derive_seed
from ensemble.training.checkpoint import PIXELS, read_checkpoint
from ensemble.training.checks import check_recipe
from ensemble.training.fit import fit_fold
from ensemble.training.history import EpochRow
from ensemble.training.inner import inner_slice
from ensemble.training.job import FoldData, FoldJob, Hardware, Pacing, SilentObserver
from ensemble.training.precision import choose_precision
from ensemble.training.rows import fold_data

_SCORED = 0.2  # of the rows outside the fold


@dataclass(frozen=True, eq=False)
class TrialRows:
    """Which rows a search works on; those of the held-out fold are in none of them.

    Attributes:
        dataset: Images and labels.
        folds: Of the dataset.
        fold: The one whose rows the search never sees.
        scored: Shape (N,), over the training rows: those that trials are scored on.
        seed: Of the split.
    """

    dataset: Dataset
    folds: FoldFile
    fold: int
    scored: NDArray[np.bool_]
    seed: int

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Shape (N,): the rows that are never seen."""
        return np.asarray(self.folds.folds == self.fold)


def split_rows(dataset: Dataset, folds: FoldFile, *, fold: int, seed: int) -> TrialRows:
    """Set aside a fifth of the rows outside ``fold``: whole groups, every class in its proportion.

    Raises:
        DataError: The training rows have no labels.
        RecipeError: There are too few groups, or images, for that.
    """
    labels = dataset.train.labels
    if labels is None:
        raise DataError(f"{dataset.path}: the training rows have no labels, so nothing can be searched")
    outside = np.asarray(folds.folds != fold)
    scored = inner_slice(labels, folds.groups, outside, fraction=_SCORED, seed=derive_seed(seed, "tune", fold))
    return TrialRows(dataset, folds, fold, scored, seed)


def trial_data(rows: TrialRows, recipe: Recipe, cache: ImageCache) -> FoldData:
    """What a trial trains on, what its early stopping watches, and what it is scored on (as ``oof``)."""
    stopping = recipe.training.early_stopping
    apart = rows.held_out | rows.scored
    data = fold_data(
        rows.dataset,
        cache,
        apart,
        groups=rows.folds.groups,
        inner_fraction=None if stopping is None else stopping.inner_fraction,
        inner_seed=derive_seed(recipe.seed, "inner", rows.fold),
    )
    return replace(data, predict={"oof": data.predict["oof"].subset(rows.scored[apart])})


@dataclass(frozen=True, eq=False)
class TrialRunner:
    """Trains trials.

    Attributes:
        rows: On which rows.
        open_cache: The decoded images of a size (height, width).
        hardware: Where; the precision is each recipe's.
        pacing: When to stop and how often to save.
    """

    rows: TrialRows
    open_cache: Callable[[tuple[int, int]], ImageCache]
    hardware: Hardware
    pacing: Pacing

    def run(self, recipe: Recipe, folder: Path, report: Callable[[int, float], None]) -> float:
        """Train, and return the macro average precision on the scored rows with the weights that are kept.

        Args:
            recipe: With the trial's settings.
            folder: Receives checkpoints, and is gone on from; it is removed when the trial has ended.
            report: Called after each epoch with its number, from 1, and the score; it may raise ``Pruned``,
                which ends the trial, but after its last epoch.

        Raises:
            RecipeError: The settings do not go together.
            TrainingDiverged: The loss stopped being finite.
            OutOfMemory: The settings need more than there is.
            WorkerDied: A data worker was killed; the folder stays.
            Unfinished: Somebody asked to stop; the folder stays, for whoever repeats the trial.
        """
        gc.collect()  # a trial before this one that failed may still hold the device's memory, in circles of objects
        dataset = self.rows.dataset
        check_recipe(
            recipe,
            n_classes=len(dataset.class_names),
            title="the trial",
            labels=dataset.train.labels,
            device=self.hardware.device,
        )
        cache = self.open_cache(recipe.data.image_size)
        data = trial_data(self.rows, recipe, cache)
        facts, paths = _facts(self.rows, recipe, cache), FoldPaths(folder)
        own = replace(self.hardware, precision=choose_precision(recipe.precision, self.hardware.device))
        with locked(paths.lock, wait=True) as lock:
            remove_leftovers(folder)
            checkpoint = read_checkpoint(paths.checkpoint, facts)
            hardware = own.as_in(checkpoint)
            torch.set_num_threads(hardware.threads)
            job = FoldJob(paths, lock, hardware, facts, self.pacing, checkpoint)
            try:
                outcome = fit_fold(_without_tables(recipe), data, job, _Reporter(report, recipe.training.epochs))
            except (Pruned, TrainingDiverged, OutOfMemory):
                shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(folder, ignore_errors=True)  # under its lock: who has waited for that makes a new folder
        with suppress(OSError):  # a network file system keeps a folder whose lock was open
            folder.rmdir()
        return outcome.rows[outcome.chosen_epoch - 1].fold_macro_average_precision


def _without_tables(recipe: Recipe) -> Recipe:
    """A trial's score is an epoch's: every one is looked at, and what only its tables would show is not computed."""
    changed = recipe.training.model_copy(update={"tta": None, "score_epochs": "all"})
    return recipe.model_copy(update={"training": changed})


def _facts(rows: TrialRows, recipe: Recipe, cache: ImageCache) -> dict[str, str | int]:
    """What a trial's checkpoint must agree with."""
    return {
        "fold": rows.fold,
        "recipe": recipe_hash(recipe),
        "dataset": rows.dataset.content_hash,
        "folds_sha256": rows.folds.sha256,
        PIXELS: cache.sha256,
    }


class _Reporter(SilentObserver):
    """The observer of ``fit_fold``: tells the scores on."""

    def __init__(self, report: Callable[[int, float], None], epochs: int) -> None:
        self._report, self._epochs = report, epochs

    def epoch_done(self, row: EpochRow) -> None:
        """See ``ensemble.training.job.Observer``."""
        try:
            self._report(row.epoch, row.fold_macro_average_precision)
        except Pruned:
            if row.epoch < self._epochs:  # after the last one nothing is left to save: the trial is complete
                raise
