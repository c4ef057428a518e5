"""A fold's training, and what a user can do where it fails."""

from __future__ import annotations

from collections.abc import Sequence

from ensemble.errors import OutOfMemory, TrainingDiverged, WorkerDied
from ensemble.recipe import Recipe
from ensemble.training.fit import fit_fold
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, Observer


def attempt_fold(
    recipe: Recipe, data: FoldData, job: FoldJob, observer: Observer, *, finished: Sequence[int]
) -> FoldOutcome:
    """``fit_fold``, with errors that say what is kept and how to go on.

    Args:
        recipe: As for ``fit_fold``, and so are the next three.
        data: See there.
        job: See there.
        observer: See there.
        finished: The member's folds that are done.

    Raises:
        EnsembleError: As ``fit_fold`` does.
        WorkerDied: A data worker was killed.
    """
    title = f"{job.paths.folder.parent.name} fold {job.facts['fold']}"
    try:
        return fit_fold(recipe, data, job, observer)
    except TrainingDiverged as error:
        raise TrainingDiverged(f"{title}: {error}.{_remedy(job, finished)}") from error
    except OutOfMemory as error:
        kept = " The last checkpoint is kept: where memory was short for a while, the same command goes on from it."
        again = kept if job.paths.checkpoint.exists() else ""
        raise OutOfMemory(f"{title}: {error}.{again}{_remedy(job, finished)}") from error
    except WorkerDied as error:
        raise WorkerDied(f"{title}: {error}") from error


def _remedy(job: FoldJob, finished: Sequence[int]) -> str:
    kept = [f"{job.paths.folder.name}/{job.paths.checkpoint.name}"] if job.paths.checkpoint.exists() else []
    kept += [f"fold_{other}" for other in finished]
    return f" A changed recipe needs --overwrite, which discards {', '.join(kept)}, or --name OTHER" if kept else ""
