"""What is planned, and how long it may take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ensemble.files import write_json
from ensemble.run_facts import RUN_VERSION
from ensemble.runs import DatasetRuns
from ensemble.scheduling.plan import PlannedRun, Progress, expected_seconds, plan_runs, read_progress


def test_a_run_for_each_member_and_fold_in_order(tmp_path: Path) -> None:
    runs = DatasetRuns(tmp_path / "data")
    done, begun = runs.member("a").fold(0), runs.member("b").fold(1)
    write_json(done.run, {"version": RUN_VERSION, "seconds": 12.5})
    begun.folder.mkdir(parents=True)
    begun.checkpoint.write_bytes(b"state")
    planned = plan_runs(runs, {"a": ["a.yaml"], "b": ["b.yaml", "--threads", "1"]}, [0, 1])
    assert [(run.title, run.finished, run.started, run.seconds) for run in planned] == [
        ("a fold 0", True, False, 12.5),
        ("a fold 1", False, False, None),
        ("b fold 0", False, False, None),
        ("b fold 1", False, True, None),
    ]
    assert planned[3].command[1:7] == ("-m", "ensemble.train", "b.yaml", "--threads", "1", "--fold")


def run_of(member: str, fold: int = 0) -> PlannedRun:
    return PlannedRun(member, fold, ("true",), Path("log"), Path("progress"))


def test_the_time_left_is_known_once_every_member_has_been_measured() -> None:
    half = Progress(done=50, total=100, images_per_second=5.0, doing="training")
    assert (half.seconds_left, half.seconds_in_all) == (10.0, 20.0)
    waiting = [run_of("a", 1), run_of("b")]
    assert expected_seconds(waiting, {"a": [20.0]}, [half], at_once=1) is None
    known = {"a": [20.0], "b": [30.0, 40.0, 500.0]}
    assert expected_seconds(waiting, known, [half], at_once=1) == pytest.approx(10 + 20 + 40)
    assert expected_seconds(waiting, known, [half], at_once=2) == pytest.approx(40)
    assert expected_seconds([], {}, [Progress()], at_once=1) is None
    assert expected_seconds([], {}, [], at_once=1) == 0.0


@pytest.mark.parametrize("text", ["", "{", '{"done": 1}', "[]", '{"done": "x", "total": 1, "images_per_second": 1}'])
def test_progress_that_cannot_be_read_is_that_of_a_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)
    assert read_progress(tmp_path / "progress.json") == Progress()
    assert read_progress(tmp_path / "missing.json") == Progress()


def test_progress_as_training_writes_it(tmp_path: Path) -> None:
    content = {"done": 10, "total": 40, "images_per_second": 2.0, "doing": "training"}
    (tmp_path / "progress.json").write_text(json.dumps(content))
    assert read_progress(tmp_path / "progress.json") == Progress(10, 40, 2.0, "training")
