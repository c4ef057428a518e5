"""The whole command on a small dataset, with members whose tables were never trained."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble import blend
from ensemble.blending import COMBINATIONS
from ensemble.dataset import Dataset, read_dataset
from ensemble.errors import AlignmentError, ArtefactError, DataError, FoldError
from ensemble.evaluation import AUTO
from ensemble.files import locked, sha256_of_file, write_json, write_text
from ensemble.folds import FoldFile, FoldWish, open_folds
from ensemble.metrics import macro_f1
from ensemble.predictions import (
    PredictionTable,
    mean_of_fold_models,
    merge_out_of_fold,
    read_predictions,
    write_predictions,
)
from ensemble.runs import SPLITS, DatasetRuns, dataset_runs
from ensemble.thresholds import THRESHOLD_RULES, decide

CLASSES = ("left", "right")
N_TRAIN, N_HOLDOUT, N_TEST = 240, 60, 50


def write_rows(path: Path, ids: list[str], values: NDArray[np.float64] | None, header: tuple[str, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *header])
        for number, image_id in enumerate(ids):
            writer.writerow([image_id, *([0] * len(header) if values is None else values[number].tolist())])


def make_dataset(folder: Path) -> Dataset:
    folder.mkdir()
    rng = np.random.default_rng(0)
    chances = rng.beta(0.6, 1.2, (N_TRAIN + N_HOLDOUT, 2))
    labels = (rng.random(chances.shape) < chances).astype(int)
    train, holdout = [f"{n:03d}" for n in range(N_TRAIN)], [f"v{n}" for n in range(N_HOLDOUT)]
    write_rows(folder / "train_labels.csv", train, labels[:N_TRAIN], CLASSES)
    write_rows(folder / "val_labels.csv", holdout, labels[N_TRAIN:], CLASSES)
    write_rows(folder / "true_probabilities.csv", train, chances[:N_TRAIN], CLASSES)
    write_rows(folder / "sample_submission.csv", [f"t{n}" for n in reversed(range(N_TEST))], None, CLASSES[::-1])
    groups = np.array([[f"p{n // 3}"] for n in range(N_TRAIN)])
    write_rows(folder / "train_groups.csv", train, groups, ("group",))
    write_rows(folder / "val_groups.csv", holdout, np.array([[f"q{n}"] for n in range(N_HOLDOUT)]), ("group",))
    return read_dataset(folder, images=False)


@dataclass(frozen=True)
class World:
    """A dataset, its folds, and where members go."""

    folder: Path
    dataset: Dataset
    runs: DatasetRuns
    folds: FoldFile

    def add_member(
        self, name: str, *, noise: float = 1.0, seed: int = 0, test_truth: float = 0.3, **notes: str
    ) -> None:
        paths = self.runs.member(name)
        write_text(paths.recipe, "seed: 0\n")
        rng = np.random.default_rng(seed)
        own = {"member": name, "folds_sha256": self.folds.sha256, "select": "last", **notes}
        for split, part in (("oof", "train"), ("holdout", "holdout"), ("test", "test")):
            rows = getattr(self.dataset, part)
            truth = np.full((len(rows.image_ids), 2), test_truth) if rows.labels is None else rows.labels
            values = (3 * truth - 2 + noise * rng.standard_normal(truth.shape)).astype(np.float32)
            for fold in range(self.folds.n_folds):
                chosen = self.folds.folds == fold if split == "oof" else np.ones(len(values), dtype=bool)
                scored_by, ids = np.full(chosen.sum(), fold, dtype=np.int16), rows.image_ids[chosen]
                table = PredictionTable(ids, CLASSES, values[chosen], folds=scored_by, notes={**own, "split": split})
                write_predictions(paths.fold(fold).table(split), table)
        for fold in range(self.folds.n_folds):
            hashes = {split: sha256_of_file(paths.fold(fold).table(split)) for split in SPLITS}
            facts = {"data_path": str(self.dataset.path.resolve()), "dataset": self.dataset.content_hash}
            write_json(paths.fold(fold).run, {"version": 1, **facts, "table_sha256": hashes})
        self.merge(name)

    def merge(self, name: str) -> None:
        paths = self.runs.member(name)
        for split in SPLITS:
            parts = [read_predictions(paths.fold(fold).table(split)) for fold in range(self.folds.n_folds)]
            oof = split == "oof"
            merged = merge_out_of_fold(parts, self.folds.image_ids) if oof else mean_of_fold_models(parts)
            write_predictions(paths.table(split), merged)

    def blend(self, *arguments: str) -> int:
        return blend.main(["--runs", str(self.runs.folder.parent), "--trials", "0", *arguments])

    @property
    def summary(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.runs.blend("blend").summary.read_text())
        return content


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    dataset = make_dataset(tmp_path / "toy")
    runs = dataset_runs(tmp_path / "runs", dataset.name)
    dataset, folds = open_folds(runs, dataset, FoldWish(n_folds=3))
    made = World(tmp_path, dataset, runs, folds)
    made.add_member("one", seed=1)
    made.add_member("two", seed=2, noise=1.5)
    return made


def test_it_blends_scores_writes_and_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.blend("--trials", "5") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("macro-F1, cross-fitted")
    for words in (
        "best possible rule",
        "train_groups.csv",
        "no search can beat exact",
        "Optuna, cold, 5 trials",
        "Optuna, from exact, 5 trials",
        "an out-of-fold row is scored by one model",
        "submissions/blend.csv",
        "this blend on all patients like these",
        f"the submission on your {N_TEST} test rows",
        f"report      {world.runs.blend('blend').report}",
    ):
        assert words in shown
    report = shown.partition("studies  ")[0]
    assert max(map(len, report.splitlines())) <= 80
    assert (world.runs.blend("blend").journal("cold")).exists()
    assert (world.runs.blend("blend").journal("warm")).exists()


def test_what_is_written_reproduces_every_decision(world: World) -> None:
    world.blend()
    paths, summary = world.runs.blend("blend"), world.summary
    thresholds = [summary["thresholds"][name] for name in CLASSES]  # type: ignore[index]
    oof = read_predictions(paths.table("oof"))
    assert world.dataset.train.labels is not None
    in_sample = macro_f1(world.dataset.train.labels, decide(oof.probabilities(), thresholds))
    scores = summary["scores"]
    assert isinstance(scores, dict)
    assert scores["in_sample"] == in_sample
    assert scores["cross_fitted"] <= in_sample <= 1.0
    test = read_predictions(paths.table("test"))
    decided = dict(zip(test.image_ids.tolist(), decide(test.probabilities(), thresholds).tolist(), strict=True))
    lines = (world.folder / "submissions" / "blend.csv").read_text().splitlines()
    assert lines[0] == "id,right,left"
    assert len(lines) == N_TEST + 1
    for line in lines[1:]:
        image_id, right, left = line.split(",")
        assert [bool(int(left)), bool(int(right))] == decided[image_id]


def test_the_summary_has_the_keys_that_readers_rely_on(world: World) -> None:
    world.blend()
    summary = world.summary
    assert (summary["version"], summary["metric"], summary["asked_combine"]) == (1, "macro_f1", "auto")
    assert (summary["threshold_rule"], summary["class_weights"]) == ("auto", None)
    assert [tried["name"] for tried in summary["combinations"]] == list(AUTO)  # type: ignore[attr-defined]
    assert summary["combine"] in AUTO
    assert sum(summary["members"].values()) == pytest.approx(1)  # type: ignore[attr-defined]
    assert summary["folds_sha256"] == world.folds.sha256
    scores = summary["scores"]
    assert isinstance(scores, dict)
    assert set(scores) >= {"at_half", "in_sample", "cross_fitted", "holdout", "cross_fitted_ci95", "test_interval95"}
    assert scores["test_interval95"][0] < scores["cross_fitted_ci95"][0] < scores["cross_fitted"]
    assert scores["cross_fitted"] < scores["cross_fitted_ci95"][1] < scores["test_interval95"][1]
    per_class = summary["per_class"]["left"]  # type: ignore[index]
    needed = "positives positive_groups threshold tp fp fn tn precision recall f1 in_sample_f1 auroc average_precision"
    assert set(per_class) >= set(needed.split())
    hashes = summary["member_tables_sha256"]["one"]  # type: ignore[index]
    assert hashes["oof"] == sha256_of_file(world.runs.member("one").table("oof"))
    origin = json.loads((world.folder / "submissions" / "blend.json").read_text())
    assert origin["thresholds"] == summary["thresholds"]
    assert origin["submission_sha256"] == sha256_of_file(world.folder / "submissions" / "blend.csv")


def test_a_member_trained_on_other_labels_is_refused(world: World) -> None:
    world.add_member("one")
    run = world.runs.member("one").fold(0).run
    write_json(run, {**json.loads(run.read_text()), "dataset": "another"})
    with pytest.raises(AlignmentError, match=r"fold_0/run\.json: expected a fold trained on the dataset as it is now"):
        world.blend()


def test_twice_gives_the_same(world: World) -> None:
    paths = world.runs.blend("blend")
    hashes = []
    for _ in range(2):
        world.blend("--trials", "3")
        without_seconds = {**world.summary, "rules": None, "combinations": None}
        page = re.sub(r"<td>\d+\.\d+</td><td>(◄ used)?</td></tr>", "", paths.report.read_text())  # seconds
        hashes.append([sha256_of_file(paths.table("oof")), json.dumps(without_seconds), page])
    assert hashes[0] == hashes[1]


def test_members_names_and_files_are_the_users_choice(world: World) -> None:
    world.blend("two", "--data", str(world.dataset.path), "--name", "solo", "--submission", "sent/mine.csv")
    assert json.loads(world.runs.blend("solo").summary.read_text())["members"] == {"two": 1.0}
    assert (world.folder / "sent" / "mine.csv").exists()
    assert (world.folder / "sent" / "mine.json").exists()
    with pytest.raises(DataError, match=r"expected a .csv or .txt file"):
        world.blend("--submission", "mine.json")


def test_unfinished_members_are_skipped_by_name(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for fold in (0, 2):
        world.runs.member("two").fold(fold).run.unlink()
    world.blend()
    assert "two: folds 0, 2 not finished (of 3)" in capsys.readouterr().out
    assert world.summary["skipped"] == {"two": "folds 0, 2 not finished (of 3)"}
    with pytest.raises(ArtefactError, match=r"two: folds 0, 2 .*recipe.yaml --all-folds --name two --runs"):
        world.blend("one", "two")
    world.runs.member("one").table("oof").unlink()
    with pytest.raises(DataError, match=r"no member with all folds done, 2 problems:\n.*one: all folds are done but"):
        world.blend()


def test_members_that_are_not_there_are_refused(world: World) -> None:
    with pytest.raises(DataError, match="has no member 'three'; it has 'one', 'two'"):
        world.blend("one", "three")
    with pytest.raises(DataError, match="more than once: 'one'"):
        world.blend("one", "one")


def test_members_of_other_folds_are_refused_by_name(world: World) -> None:
    world.add_member("stranger", folds_sha256="0" * 64)
    with pytest.raises(AlignmentError, match="member 'stranger': it was trained on other folds"):
        world.blend()


@pytest.mark.parametrize("split", SPLITS)
def test_a_merged_table_that_was_edited_is_refused(world: World, split: str) -> None:
    path = world.runs.member("two").table(split)
    table = read_predictions(path)
    edited = table.values.copy()
    edited[0, 0] += 0.5
    picked = {**table.notes, "select": "best_on_fold"}
    for other in (replace(table, values=edited), replace(table, notes=picked), table.rows(np.arange(1, len(table)))):
        write_predictions(path, other)
        with pytest.raises(ArtefactError, match=rf"two.{split}\.parquet: .*it was changed after it was merged"):
            world.blend()
    world.merge("two")
    assert world.blend() == 0


def test_a_fold_table_that_was_edited_is_refused(world: World) -> None:
    path = world.runs.member("two").fold(1).table("oof")
    table = read_predictions(path)
    write_predictions(path, replace(table, values=table.values + 1))
    world.merge("two")
    with pytest.raises(ArtefactError, match=r"fold_1.oof\.parquet: expected sha256 .* as run\.json says"):
        world.blend()


def test_some_tables_are_not_enough(world: World) -> None:
    world.runs.member("two").table("test").unlink()
    with pytest.raises(AlignmentError, match="members 'two' have no test table, but 'one' have one"):
        world.blend()


def test_without_test_tables_it_says_why_nothing_is_sent(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        world.runs.member(name).table("test").unlink()
    world.blend()
    assert "submission  not written: the members have no tables of test rows" in capsys.readouterr().out
    assert not (world.folder / "submissions").exists()


def test_no_foreign_file_is_overwritten(world: World) -> None:
    labels = world.dataset.path / "train_labels.csv"
    before = labels.read_bytes()
    with pytest.raises(DataError, match="is there already and is no submission of ours"):
        world.blend("--data", str(world.dataset.path), "--submission", str(labels))
    assert labels.read_bytes() == before
    folds = world.runs.folds_csv.read_bytes()
    with pytest.raises(DataError, match=r"expected a place outside of .*where folds, members and blends have files"):
        world.blend("--submission", str(world.runs.folds_csv))
    assert world.runs.folds_csv.read_bytes() == folds
    (world.folder / "mine.json").touch()
    with pytest.raises(DataError, match=r"mine.json is there already and .* \(mine.csv is not beside it\)"):
        world.blend("--submission", "mine.csv")
    with pytest.raises(DataError, match="expected a file, but this is a folder"):
        world.blend("--submission", str(world.dataset.path))
    with pytest.raises(DataError, match=r"the submission's folder .*train_labels.csv: expected a folder"):
        world.blend("--submission", str(labels / "x.csv"))
    with pytest.raises(DataError, match="expected a place outside the dataset's folder"):
        world.blend("--submission", str(world.dataset.path / "new.csv"))
    with pytest.raises(DataError, match=r"expected a beta from 0\.001 to 1000"):
        world.blend("--metric", "macro_fbeta", "--beta", "1e308")


def test_nothing_old_lies_beside_a_blend(world: World) -> None:
    paths = world.runs.blend("blend")
    world.blend("--trials", "1")
    assert paths.table("test").exists()
    world.runs.member("one").table("test").unlink()
    (paths.folder / ".oof.parquet.0123.tmp").write_text("of a blend that was killed")
    world.blend("one")
    assert sorted(path.name for path in paths.folder.iterdir()) == [
        ".lock",
        "blend.json",
        "holdout.parquet",
        "oof.parquet",
        "report.html",
    ]


def test_a_dataset_that_changed_is_refused(world: World) -> None:
    path = world.dataset.path / "train_labels.csv"
    text = path.read_text()
    path.write_text(text.replace("000,0", "000,1") if "000,0" in text else text.replace("000,1", "000,0"))
    with pytest.raises(FoldError, match="changed since"):
        world.blend()


def test_a_dataset_that_moved_is_asked_for(world: World) -> None:
    shutil.move(world.dataset.path, world.folder / "elsewhere")
    with pytest.raises(DataError, match=r"which is gone. Say where it is now: --data DIR"):
        world.blend()


def test_warnings_are_in_words(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_member("copy", seed=1, test_truth=4.0, select="best_on_fold")
    world.blend("--combine", "mean", "--thresholds", "exact")
    warnings = " ".join(world.summary["warnings"])  # type: ignore[arg-type]
    assert "epoch picked on these rows: 'copy'" in warnings
    assert "members 'copy' and 'one' are copies of one another" in warnings
    assert "called positive on the test rows at another rate than in training" in warnings
    shown = capsys.readouterr().out
    assert "copy *" in shown
    assert "* epoch picked on these rows" in shown
    made_of = json.loads((world.folder / "submissions" / "blend.json").read_text())
    assert made_of["epoch_picked"] == world.summary["epoch_picked"] == ["copy"]


def test_the_report_holds_everything_itself(world: World) -> None:
    world.blend()
    text = world.runs.blend("blend").report.read_text()
    score = world.summary["scores"]["cross_fitted"]  # type: ignore[index]
    assert f"<b>{score:.4f}</b> macro-F1, cross-fitted" in text
    for outside in ('src="http', 'href="http', "url(http", "@import", "<link", "<script"):
        assert outside not in text
    for words in ("On the test rows", "Curves of left", "best possible rule", "holdout", "in ten bins"):
        assert words in text


def test_an_earlier_blend_outlives_a_failure_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.blend("--trials", "2")
    paths = world.runs.blend("blend")
    before = {path.name: path.read_bytes() for path in paths.folder.iterdir()}
    assert paths.journal("cold").name in before

    def fail(*_: object, **__: object) -> None:
        raise DataError("stopped")

    monkeypatch.setattr("ensemble.report.artefacts.write_predictions", fail)
    with pytest.raises(DataError, match="stopped"):
        world.blend("--trials", "3", "--combine", "optuna")
    assert {path.name: path.read_bytes() for path in paths.folder.iterdir()} == before


def test_two_of_one_name_at_once_are_refused(world: World) -> None:
    words = ["--runs", str(world.folder / "runs"), "--submission", str(world.folder / "sent.csv")]
    script = f"import sys; from ensemble import blend; blend.main({words!r})"
    with locked(world.runs.blend("blend").lock):
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert "blend is in use by another process" in done.stderr
    assert not (world.folder / "sent.csv").exists()


def test_rules_on_labels_can_be_asked_for(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.blend("--at-least-one", "--exclusive", "right", "--combine", "mean", "--thresholds", "exact")
    shown = " ".join(capsys.readouterr().out.split())
    assert "'right' never comes with another label" in shown
    assert "Every image gets a label" in shown
    lines = (world.folder / "submissions" / "blend.csv").read_text().splitlines()[1:]
    assert {line.partition(",")[2] for line in lines} <= {"0,1", "1,0"}
    assert world.summary["decides"]["exclusive"] == "right"  # type: ignore[index]
    with pytest.raises(DataError, match="exclusive class: expected one of 'left', 'right', got 'middle'"):
        world.blend("--exclusive", "middle")


def test_help_names_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        blend.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    combinations, thresholds = shown.partition("--combine RULE how")[2].split("--thresholds RULE")[:2]
    for name in ("auto", *COMBINATIONS):
        assert name in combinations
    for name in THRESHOLD_RULES:
        assert name in thresholds


def test_trials_are_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        blend.main(["--trials", "-1"])
    assert "expected a whole number of at least 0, got '-1'" in capsys.readouterr().err


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "timm", "albumentations", "cv2", "torchvision"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
from ensemble.blend import main
sys.exit(main(sys.argv[1:]))
"""


def test_blending_needs_no_torch(world: World, python: Callable[..., str]) -> None:
    shown = python("-W", "error", "-c", BLOCKED, "--runs", str(world.runs.folder.parent), "--trials", "3")
    assert "submissions/blend.csv" in shown


def test_help_imports_nothing_heavy(python: Callable[..., str]) -> None:
    shown = python(
        "-c",
        "import sys, ensemble.blend as b\n"
        "try: b.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & "
        "{'numpy', 'pandas', 'rich', 'torch', 'optuna', 'scipy', 'sklearn', 'pyarrow', 'matplotlib', 'jinja2'}))",
    )
    assert "--submission FILE" in shown
    assert shown.splitlines()[-1] == "[]"


@pytest.fixture
def python() -> Callable[..., str]:
    root = str(Path(blend.__file__).resolve().parent.parent)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], check=False, capture_output=True, text=True, env={"PYTHONPATH": root}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_what_a_killed_blend_left_of_its_submission_is_removed(world: World) -> None:
    world.blend()
    submissions = world.folder / "submissions"
    for name in (".blend.csv.0123.tmp", ".blend.json.0123.tmp", ".other.csv.0123.tmp"):
        (submissions / name).touch()
        os.utime(submissions / name, (0, 0))
    world.blend()
    names = [".other.csv.0123.tmp", "blend.csv", "blend.json"]
    assert sorted(path.name for path in submissions.iterdir()) == names


def test_the_submission_of_another_dataset_is_not_overwritten(world: World) -> None:
    world.blend()
    submission = world.folder / "submissions" / "blend.csv"
    origin = json.loads(submission.with_suffix(".json").read_text(encoding="utf-8"))
    write_json(submission.with_suffix(".json"), {**origin, "dataset": "another"})
    before = submission.read_bytes()
    with pytest.raises(DataError, match=r"holds a submission for the dataset 'another'.* Give another --name"):
        world.blend()
    assert submission.read_bytes() == before
