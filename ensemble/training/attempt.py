"""A fold's training, and what a user can do where it fails."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ensemble.errors import TrainingDiverged, WorkerDied
from ensemble.recipe import Recipe
from ensemble.training.fit import fit_fold
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, Observer

# torch's words. It can say so anywhere, as a signal tells it that a child has ended.
_WORKER_DIED = re.compile(r"DataLoader worker \(pid\S* ([\d, ]+)\) (?:is killed by signal: ([^.]+)|exited)")


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
    except RuntimeError as error:
        if (match := _WORKER_DIED.search(str(error))) is None:
            raise
        raise WorkerDied(f"{title}: {_said_of_worker(match, job.hardware.workers)}") from error


def _remedy(job: FoldJob, finished: Sequence[int]) -> str:
    kept = [f"{job.paths.folder.name}/{job.paths.checkpoint.name}"] if job.paths.checkpoint.exists() else []
    kept += [f"fold_{other}" for other in finished]
    return f" A changed recipe needs --overwrite, which discards {', '.join(kept)}, or --name OTHER" if kept else ""


def _said_of_worker(match: re.Match[str], workers: int) -> str:
    how = f"killed ({match[2]})" if match[2] else "ended from outside"
    return (
        f"data worker process {match[1]} was {how}, as the system does when memory runs out. The last checkpoint is "
        f"kept and the same command goes on; fewer --workers than {workers} take less memory (0: none)"
    )
