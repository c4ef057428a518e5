from pathlib import Path

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ensemble.search import maximise

TARGET = np.array([0.2, 0.7])


def closeness(point: NDArray[np.float64]) -> float:
    return -float(np.abs(point - TARGET).sum())


def test_the_same_seed_gives_the_same_search() -> None:
    first, again, other = (maximise(closeness, ["a", "b"], trials=15, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_start_is_tried_first_and_clipped() -> None:
    assert np.array_equal(maximise(closeness, ["a", "b"], trials=1, seed=0, start=TARGET), TARGET)
    assert maximise(closeness, ["a", "b"], trials=1, seed=0, start=np.array([2.0, 0.5])).tolist() == [1.0, 0.5]


def test_the_study_is_kept_whole_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    journal = tmp_path / "new" / "study.journal"
    for trials in (7, 3):
        maximise(closeness, ["a", "b"], trials=trials, seed=0, journal=journal)
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(journal))))
    assert study.user_attrs == {"version": 1}
    assert len(study.trials) == 3
    assert set(study.best_params) == {"a", "b"}
    assert list(journal.parent.iterdir()) == [journal]


def test_it_is_quiet_and_leaves_the_verbosity_alone(capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    maximise(closeness, ["a", "b"], trials=2, seed=0)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    assert capfd.readouterr() == ("", "")
