"""Searching a few numbers: thresholds and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.files import atomic_write, storage_errors

if TYPE_CHECKING:
    import optuna

STUDY_VERSION = 1
"""Of what a kept study holds: parameters named after classes or members, in [0, 1]; of weights also ``weights``."""

_LEAST = 1e-12  # of a number whose logarithm is taken

Objective = Callable[[NDArray[np.float64]], float]


def maximise(
    objective: Objective,
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
    first = None if start is None else np.clip(start, 0.0, 1.0)

    def score(trial: optuna.Trial) -> float:
        return objective(_suggested(trial, names))

    return _Search("thresholds", names, trials, seed, journal).run(score, first)


def maximise_weights(
    objective: Objective,
    names: Sequence[str],
    *,
    trials: int,
    seed: int,
    start: NDArray[np.float64] | None = None,
    journal: Path | None = None,
) -> NDArray[np.float64]:
    r"""Search weights, >= 0 and with sum 1, that maximise ``objective``.

    Searched are numbers :math:`u` in (0, 1]; the weights are :math:`w_d = \log u_d / \sum_e \log u_e`, which are even
    over all weights where the numbers are even over (0, 1). The study shows the numbers as parameters, and the weights
    as the attribute ``weights`` of a trial. Arguments as for ``maximise``; ``start`` is a point of weights.

    Source: Optuna's FAQ on proportions, https://optuna.readthedocs.io/en/stable/faq.html.

    Returns:
        Shape (D,): the best weights; of equals, the first that were tried.
    """
    first = None if start is None else np.exp(-np.asarray(start) * len(names))

    def score(trial: optuna.Trial) -> float:
        weights = _as_weights(_suggested(trial, names))
        trial.set_user_attr("weights", dict(zip(names, weights.tolist(), strict=True)))
        return objective(weights)

    return _as_weights(_Search("weights", names, trials, seed, journal).run(score, first))


def _as_weights(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.maximum(-np.log(np.maximum(numbers, _LEAST)), _LEAST)
    return np.asarray(logs / logs.sum(), dtype=np.float64)


def _suggested(trial: optuna.Trial, names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([trial.suggest_float(name, 0.0, 1.0) for name in names])


@dataclass(frozen=True)
class _Search:
    """A study of numbers in [0, 1], by the name that ``optuna-dashboard`` shows."""

    study: str
    names: Sequence[str]
    trials: int
    seed: int
    journal: Path | None

    def run(self, score: Callable[[optuna.Trial], float], start: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """The best numbers, shape (D,)."""
        import optuna  # noqa: PLC0415 - costs half a second

        with _quiet():
            storage = optuna.storages.InMemoryStorage()
            sampler = optuna.samplers.TPESampler(seed=self.seed)
            study = optuna.create_study(study_name=self.study, direction="maximize", sampler=sampler, storage=storage)
            study.set_user_attr("version", STUDY_VERSION)
            if start is not None:
                study.enqueue_trial(dict(zip(self.names, start.tolist(), strict=True)))
            study.optimize(score, n_trials=self.trials)
            if self.journal is not None:
                _keep(storage, self.study, self.journal)
        return np.array([study.best_params[name] for name in self.names], dtype=np.float64)


def _keep(storage: optuna.storages.BaseStorage, study_name: str, journal: Path) -> None:
    """Copy the finished study into a journal file: within ``written_together``, with the other files."""
    import optuna  # noqa: PLC0415
    from optuna.storages import JournalStorage  # noqa: PLC0415
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    with TemporaryDirectory() as folder, storage_errors(journal):
        copy = Path(folder) / journal.name
        kept = JournalStorage(JournalFileBackend(str(copy)))
        optuna.copy_study(from_study_name=study_name, from_storage=storage, to_storage=kept)
        content = copy.read_bytes()
    with atomic_write(journal) as stream:
        stream.write(content)


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
