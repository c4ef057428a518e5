"""The only file that imports optuna, and only when a search runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import optuna

_STUDY = "thresholds"


def maximise(
    objective: Callable[[NDArray[np.float64]], float],
    names: Sequence[str],
    *,
    trials: int,
    seed: int,
    start: NDArray[np.float64] | None = None,
    journal: Path | None = None,
) -> NDArray[np.float64]:
    """Search numbers in [0, 1] that maximise ``objective``, by Optuna's tree-structured Parzen estimator.

    Args:
        objective: Takes shape (D,), float64, returns the score. Not NaN.
        names: D names of the numbers, as the study shows them.
        trials: How many points are tried, ``start`` included; at least 1.
        seed: The same seed gives the same search.
        start: Shape (D,): the first point to try; it is clipped to [0, 1].
        journal: Where to keep the study, for ``optuna-dashboard``; a file of an earlier search is replaced.

    Returns:
        Shape (D,): the best point; of equals, the first that was tried.
    """
    import optuna  # noqa: PLC0415 - costs half a second

    def score(trial: optuna.Trial) -> float:
        return objective(np.array([trial.suggest_float(name, 0.0, 1.0) for name in names]))

    with _quiet():
        storage = optuna.storages.InMemoryStorage()
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(study_name=_STUDY, direction="maximize", sampler=sampler, storage=storage)
        if start is not None:
            study.enqueue_trial(dict(zip(names, np.clip(start, 0.0, 1.0).tolist(), strict=True)))
        study.optimize(score, n_trials=trials)
        if journal is not None:
            _keep(storage, journal)
    return np.array([study.best_params[name] for name in names], dtype=np.float64)


def _keep(storage: optuna.storages.BaseStorage, journal: Path) -> None:
    """Copy the finished study into a journal file, whole or not at all."""
    import optuna  # noqa: PLC0415
    from optuna.storages import JournalStorage  # noqa: PLC0415
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    journal.parent.mkdir(parents=True, exist_ok=True)
    temporary = journal.with_name(f".{journal.name}.{uuid4().hex}.tmp")
    try:
        kept = JournalStorage(JournalFileBackend(str(temporary)))
        optuna.copy_study(from_study_name=_STUDY, from_storage=storage, to_storage=kept)
        temporary.replace(journal)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs a line a trial; not here."""
    import optuna  # noqa: PLC0415

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
