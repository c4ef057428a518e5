"""The whole job in one command, and what it refuses."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from rich.console import Console

from ensemble import demo, run, train
from ensemble.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, DataError, FoldError, RecipeError
from ensemble.files import read_json
from ensemble.report.run_view import RunView, _live_table, duration, print_failures, print_plan
from ensemble.runs import DatasetRuns
from ensemble.scheduling.local import Outcome
from ensemble.scheduling.plan import PlannedRun, Progress
from ensemble.scheduling.room import Room
from ensemble.scheduling.split import Slot

RECIPE = """# A small member for tests.
data:      {image_size: 32, n_folds: 2}
model:     {name: cnn2}
optimizer: {name: adam, lr: 1e-3}
training:  {epochs: 1, batch_size: 16}
precision: float32
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    assert demo.main([str(folder / "phantoms"), "--images", "60"]) == 0
    (folder / "phantoms" / "dataset.yaml").unlink()  # its fold count would win over the recipes'
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(RECIPE)
    return folder


def run_job(job: Path, *flags: str, recipes: tuple[str, ...] = ("one", "two")) -> int:
    words = [str(job / f"{name}.yaml") for name in recipes]
    places = ["--data", str(job / "phantoms"), "--runs", str(job / "runs"), "--submission", str(job / "sent.csv")]
    return run.main([*words, *places, "--device", "cpu", "--trials", "0", *flags])


def test_everything_that_is_wrong_is_said_before_anything_starts(job: Path) -> None:
    (job / "bad.yaml").write_text(RECIPE.replace("cnn2", "cnn22"))
    (job / "worse.yaml").write_text(RECIPE.replace("epochs: 1", "epochs: none"))
    with pytest.raises(RecipeError, match=r"nothing was started.*epochs"):
        run_job(job, recipes=("one", "worse"))
    with pytest.raises(RecipeError, match="cnn22"):
        run_job(job, recipes=("one", "bad"))
    (job / "other.yaml").write_text(RECIPE.replace("n_folds: 2", "n_folds: 3"))
    said = r"nothing was started: .*one\.yaml[\s\S]*other\.yaml: .*n_folds 3, but they have 2"
    with pytest.raises(FoldError, match=said):
        run_job(job, recipes=("one", "other"))
    with pytest.raises(FoldError, match=r"--fold 2: expected 0 to 1"):
        run_job(job, "--fold", "2")
    with pytest.raises(SystemExit, match=str(EXIT_BAD_INPUT)):
        run_job(job, recipes=("one", "one"))
    with pytest.raises(DataError, match=r"expected a place outside of .*runs/phantoms"):
        run_job(job, "--submission", str(job / "runs" / "phantoms" / "folds.csv"))
    assert not (job / "runs").exists()


def test_all_recipes_are_trained_on_one_dataset(job: Path) -> None:
    (job / "link").symlink_to(job / "phantoms")
    for name, folder in {"here": "phantoms", "same": "link", "there": "elsewhere"}.items():
        (job / f"{name}.yaml").write_text(RECIPE.replace("{image_size", f"{{path: {job / folder}, image_size"))

    def check(*names: str) -> Namespace:
        words = [*(str(job / f"{name}.yaml") for name in names), "--runs", str(job / "none"), "--device", "cpu"]
        args = run.build_parser().parse_args(words)
        run._check_all(args)
        return args

    said = r"nothing was started: .*one dataset, got .*phantoms in .*here\.yaml; .*elsewhere in .*there\.yaml\. Give "
    with pytest.raises(RecipeError, match=said):
        check("here", "there")
    with pytest.raises(RecipeError, match=r"one\.yaml: data\.path is not set"):
        check("here", "one")
    told = run._train_words(check("here", "same"), job / "same.yaml")
    assert told[told.index("--data") + 1] == str(job / "phantoms")


def test_a_dry_run_writes_nothing(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job(job, "--dry-run") == EXIT_DONE
    assert "4 trainings to run" in capsys.readouterr().out
    assert not (job / "runs").exists()


def test_threads_that_were_asked_for_hold_on_gpus_too(tmp_path: Path) -> None:
    args = run.build_parser().parse_args([str(tmp_path / "one.yaml"), "--threads", "4"])
    room = Room(None, [Slot(gpus=1)], 1, "cuda")
    (planned,) = run._plan(args, DatasetRuns(tmp_path / "runs"), ["one"], folds=[0], room=room)
    words = planned.command
    assert words[words.index("--threads") + 1] == "4"
    assert words[words.index("cuda") - 1] == "--device"


def test_what_is_missing_is_trained_then_all_is_blended(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(job / "one.yaml"), "--data", str(job / "phantoms"), "--runs", str(job / "runs"), "--device", "cpu"]
    assert train.main([*words, "--all-folds"]) == 0
    before = (job / "runs/phantoms/one/fold_0/run.json").read_bytes()
    capsys.readouterr()
    assert run_job(job, "--fold", "0") == EXIT_DONE
    said = capsys.readouterr().out
    assert "two fold 0  done" in said
    assert "no blend yet: it needs all folds. Still to train: two: 1" in said
    assert run_job(job) == EXIT_DONE
    said = capsys.readouterr().out
    assert "two fold 1  done" in said
    assert "one fold" not in said
    assert (job / "runs/phantoms/one/fold_0/run.json").read_bytes() == before
    assert set(read_json(job / "runs/phantoms/blends/blend/blend.json")["members"]) == {"one", "two"}
    sent = (job / "sent.csv").read_bytes()
    assert run_job(job) == EXIT_DONE
    assert "fold" not in capsys.readouterr().out.split("macro-F1, cross-fitted")[0].split("folds      2")[1]
    assert (job / "sent.csv").read_bytes() == sent


def test_a_training_that_fails_is_named_with_its_log(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job / "wild.yaml").write_text(RECIPE.replace("lr: 1e-3", "lr: 1e30"))
    assert run_job(job, "--fold", "0", recipes=("one", "wild")) == EXIT_FAILED
    shown = capsys.readouterr()
    assert "wild fold 0 failed with exit code 1; it said last:" in shown.out
    assert "the training loss is not finite" in shown.out
    assert "1 training failed, named above" in shown.err
    assert not (job / "runs/phantoms/logs/wild_fold_0.progress.json").exists()


def test_what_a_person_sees(tmp_path: Path) -> None:
    runs = [PlannedRun("a", fold, ("true",), tmp_path / f"{fold}.log", tmp_path / "p") for fold in range(3)]
    runs[0] = PlannedRun("a", 0, ("true",), tmp_path / "0.log", tmp_path / "p", finished=True, seconds=100.0)
    console = Console(record=True, width=100, force_terminal=False, file=(tmp_path / "shown").open("w"))
    print_plan(console, runs, at_once=1, each="2 threads each")
    with RunView(console, runs, at_once=1) as view:
        view.started(runs[1])
        view.looked({runs[1]: Progress(30, 100, 10.0, "training")}, [runs[2]])
        view.ended(Outcome(runs[1], -9, 61.0, ("last words",)))
    print_failures(console, [Outcome(runs[1], -9, 61.0, ("last words",))])
    shown = console.export_text()
    console.file.close()
    assert "2 trainings to run, one after the other, 2 threads each; about 3 min" in shown
    assert "a fold 1  FAILED (exit code -9) after 61 s" in shown
    assert "last words" in shown
    live = Console(record=True, width=60, file=(tmp_path / "live").open("w"))
    progress = {runs[1]: Progress(), runs[2]: Progress(30, 100, 10.0, "training")}
    live.print(_live_table(progress, "0 of 2 trainings ended"))
    rows = [" ".join(line.strip("━╸╺ ").split()) for line in live.export_text().splitlines()]
    live.file.close()
    assert rows[2].endswith(" starting")
    assert rows[2].count("starting") == 1
    assert rows[3].endswith(" 30% 10 7 s")
    assert rows[4] == "0 of 2 trainings ended"
    assert [duration(seconds) for seconds in (3.2, 89, 600, 7500)] == ["3 s", "89 s", "10 min", "2 h 05 min"]
