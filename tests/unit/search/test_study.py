"""A study that several processes share: no trial is lost, none is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from ensemble.errors import (
    ArtefactError,
    DataError,
    OutOfMemory,
    StorageError,
    TrainingDiverged,
    Unfinished,
    WorkerDied,
)
from ensemble.recipe.space import Parameter
from ensemble.search.owners import is_gone, this_process
from ensemble.search.storage import open_storage, without_password
from ensemble.search.study import SharedStudy
from ensemble.search.trials import StudyWish, Trial

SPACE = (Parameter("optimizer.lr", (), 0.0, 1.0), Parameter("loss.name", ("bce", "asl")))
WORKER = """
import sys, time
from pathlib import Path
from ensemble.recipe.space import Parameter
from ensemble.search.study import SharedStudy
from ensemble.search.trials import StudyWish
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
def objective(trial):
    (folder / f"started_{sys.argv[3]}").touch()
    time.sleep(seconds)
    with (folder / "done.txt").open("a") as stream:
        stream.write(f"{trial.origin}\\n")
    return 0.5
wish = StudyWish("toy", sys.argv[4], folder / ".lock", trials=6, seed=0, most_steps=3)
space = (Parameter("optimizer.lr", (), 0.0, 1.0), Parameter("loss.name", ("bce", "asl")))
SharedStudy(wish, space, {"optimizer.lr": 0.25, "loss.name": "asl"}).work(objective)
"""


def open_study(folder: Path, *, trials: int = 6, storage: str | None = None, **facts: str) -> SharedStudy:
    where = storage or str(folder / "study.journal")
    wish = StudyWish("toy", where, folder / ".lock", trials=trials, seed=0, most_steps=3, facts=facts)
    return SharedStudy(wish, SPACE, {"optimizer.lr": 0.25, "loss.name": "asl"})


def test_the_recipes_own_values_come_first_and_the_best_is_found(tmp_path: Path) -> None:
    seen: list[Trial] = []

    def objective(trial: Trial) -> float:
        seen.append(trial)
        return -abs(float(trial.overrides[0].partition("=")[2]) - 0.3)

    study = open_study(tmp_path, trials=12)
    study.work(objective)
    assert seen[0].overrides == ("optimizer.lr=0.25", "loss.name=asl")
    assert [trial.number for trial in seen] == list(range(12))
    assert len({trial.overrides for trial in seen}) == 12
    assert {one.state for one in study.trials()} == {"complete"}
    again = open_study(tmp_path, trials=12)
    again.work(objective)
    assert len(seen) == 12
    loaded = optuna.load_study(study_name="toy", storage=open_storage(str(tmp_path / "study.journal")))
    assert loaded.best_value == max(one.value or -9.0 for one in study.trials())


@pytest.fixture(params=["journal", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else str(tmp_path / "study.journal")


def start_worker(folder: Path, storage: str, name: str, seconds: float) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(seconds), name, storage])
    deadline = time.monotonic() + 120
    while not (folder / f"started_{name}").exists():
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return worker


def test_a_worker_that_was_killed_loses_no_trial_and_doubles_none(storage: str, tmp_path: Path) -> None:
    first = start_worker(tmp_path, storage, "a", 600)
    second = start_worker(tmp_path, storage, "b", 0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait(120) == 0
    study = open_study(tmp_path, storage=storage)
    study.work(lambda _trial: 0.5)  # the second may have been done before the first was killed
    trials = study.trials()
    lost = [one for one in trials if one.state == "lost"]
    complete = [one for one in trials if one.state == "complete"]
    assert [one.number for one in lost] == [0]
    assert [one.retry_of for one in complete].count(0) == 1
    assert len(complete) == 6
    repeated = next(one for one in complete if one.retry_of == 0)
    assert repeated.overrides == lost[0].overrides == ("optimizer.lr=0.25", "loss.name=asl")
    done = [int(line) for line in (tmp_path / "done.txt").read_text().split()]
    assert len(done) == len(set(done))


def test_a_trial_that_was_interrupted_is_tried_again_with_its_folder_however_often(tmp_path: Path) -> None:
    errors = [Unfinished("stopped"), StorageError("the disk is full"), KeyboardInterrupt(), *[Unfinished("again")] * 3]
    for error in errors:
        with pytest.raises(type(error)):
            open_study(tmp_path, trials=1).work(raising(error))
    origins: list[int] = []
    study = open_study(tmp_path, trials=1)
    study.work(lambda trial: origins.append(trial.origin) or 0.1)
    assert origins == [0]
    assert [one.state for one in study.trials()] == ["lost"] * 6 + ["complete"]
    assert {one.overrides for one in study.trials()} == {("optimizer.lr=0.25", "loss.name=asl")}


def raising(error: BaseException) -> Callable[[Trial], float]:
    def objective(_trial: Trial) -> float:
        raise error

    return objective


def test_a_trial_whose_data_workers_die_is_tried_again_three_times(tmp_path: Path) -> None:
    for error in (
        WorkerDied("1"),
        WorkerDied("2"),
        Unfinished("which does not count"),
        WorkerDied("3"),
        WorkerDied("4"),
    ):
        with pytest.raises(type(error), match=str(error)):
            open_study(tmp_path, trials=2).work(raising(error))
    study = open_study(tmp_path, trials=2)
    study.work(lambda trial: float(trial.number))
    found = [(one.state, one.retry_of) for one in study.trials()]
    assert found == [("lost", None), *[("lost", before) for before in range(4)], ("complete", None)]


def test_too_little_memory_fails_the_trial_and_the_search_goes_on(tmp_path: Path) -> None:
    short: list[Exception] = [OutOfMemory("memory ran out"), RuntimeError("CUDA out of memory. Tried."), MemoryError()]

    def objective(trial: Trial) -> float:
        if trial.number < len(short):
            raise short[trial.number]
        return 0.5

    study = open_study(tmp_path, trials=4)
    study.work(objective)
    assert [(one.state, one.problem) for one in study.trials()] == [
        ("failed", "memory ran out"),
        ("failed", "there is too little memory (CUDA out of memory. Tried)"),
        ("failed", "there is too little memory (no more could be had)"),
        ("complete", ""),
    ]
    with pytest.raises(RuntimeError, match="a fault of the program"):
        open_study(tmp_path, trials=5).work(raising(RuntimeError("a fault of the program")))


def test_what_diverges_fails_and_the_search_goes_on(tmp_path: Path) -> None:
    def objective(trial: Trial) -> float:
        if trial.number == 0:
            raise TrainingDiverged("the loss is not finite")
        return float("nan") if trial.number == 1 else 0.4

    study = open_study(tmp_path, trials=3)
    study.work(objective)
    assert [(one.state, one.problem) for one in study.trials()] == [
        ("failed", "the loss is not finite"),
        ("failed", "the objective is not a number"),
        ("complete", ""),
    ]


def test_trials_that_lag_behind_are_pruned(tmp_path: Path) -> None:
    def objective(trial: Trial) -> float:
        value = 0.9 if trial.number < 5 else 0.1
        for step in (1, 2, 3):
            trial.report(step, value)
        return value

    study = open_study(tmp_path, trials=7)
    study.work(objective)
    assert [one.state for one in study.trials()] == ["complete"] * 5 + ["pruned"] * 2
    assert study.trials()[-1].steps < 3


def test_another_recipe_or_somebody_elses_study_is_refused(tmp_path: Path) -> None:
    open_study(tmp_path, recipe="a")
    with pytest.raises(ArtefactError, match="started with another recipe"):
        open_study(tmp_path, recipe="b")
    storage = str(tmp_path / "other.journal")
    theirs = optuna.create_study(study_name="toy", storage=open_storage(storage))
    theirs.optimize(lambda _trial: 1.0, n_trials=1)
    with pytest.raises(ArtefactError, match=r"not made by python -m ensemble\.tune"):
        open_study(tmp_path, storage=storage)


def test_storages_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the database cannot be opened"):
        open_storage("nosuch://host/db")
    (tmp_path / "x.journal").write_text("no journal\n")
    with pytest.raises(ArtefactError, match="expected the journal of a study, got another file"):
        open_storage(str(tmp_path / "x.journal"))
    (tmp_path / "other.journal").write_text('{"op_code": 99}\nno journal\n')
    with pytest.raises(ArtefactError, match="expected the journal of a study, but it cannot be read"):
        open_storage(str(tmp_path / "other.journal"))
    with pytest.raises(ArtefactError, match="expected the journal of a study, got a folder"):
        open_storage(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtefactError, match="got a pipe or device"):
        open_storage(str(tmp_path / "pipe"))


def test_a_databases_password_is_not_shown() -> None:
    with pytest.raises(DataError, match=r"nosuch://me:\*\*\*@host/db") as caught:
        open_storage("nosuch://me:geh@im@host/db")
    assert "geh" not in str(caught.value)
    assert without_password("sqlite:///a/b:c.db") == "sqlite:///a/b:c.db"


def test_owners_are_known_by_their_process_or_by_their_silence() -> None:
    own, now = this_process(), time.time()
    assert not is_gone({"owner": own}, started_at=0.0, silence_seconds=1.0)
    assert is_gone({"owner": {**own, "started": "1"}}, started_at=now, silence_seconds=60.0)
    elsewhere = {**own, "host": "another"}
    assert is_gone({"owner": elsewhere, "seen": now - 99}, started_at=now, silence_seconds=60.0)
    assert not is_gone({"owner": elsewhere, "seen": now}, started_at=0.0, silence_seconds=60.0)
    assert is_gone({}, started_at=now - 99, silence_seconds=60.0)
