"""The whole command on a small dataset, with members whose tables were never trained."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ensemble import compare
from ensemble.command import run_command
from ensemble.dataset import Dataset, read_dataset
from ensemble.errors import ArtefactError, DataError
from ensemble.files import sha256_of_file, write_json, write_text
from ensemble.folds import FoldFile, FoldWish, open_folds
from ensemble.predictions import PredictionTable, merge_out_of_fold, read_predictions, write_predictions
from ensemble.runs import DatasetRuns, dataset_runs

CLASSES = ("left", "right")
N = 120
RECIPE = "model: {name: cnn2}\ntraining: {epochs: 3, batch_size: 64}\nloss: {pos_weight: balanced}\n"


@dataclass(frozen=True)
class World:
    """A dataset, its folds, and where members go."""

    dataset: Dataset
    runs: DatasetRuns
    folds: FoldFile

    def add_member(self, name: str, *, noise: float, select: str = "last", **facts: object) -> None:
        paths, labels = self.runs.member(name), self.dataset.train.labels
        assert labels is not None
        write_text(paths.recipe, RECIPE)
        values = (2 * labels - 1 + noise * np.random.default_rng(len(name)).standard_normal(labels.shape)).astype(
            np.float32
        )
        notes = {"member": name, "folds_sha256": self.folds.sha256, "select": select, "split": "oof"}
        for fold in range(self.folds.n_folds):
            own, where = self.folds.folds == fold, paths.fold(fold)
            ids, scored_by = self.dataset.train.image_ids[own], np.full(own.sum(), fold, dtype=np.int16)
            write_predictions(
                where.table("oof"), PredictionTable(ids, CLASSES, values[own], folds=scored_by, notes=notes)
            )
            run = {"data_path": str(self.dataset.path.resolve()), "dataset": self.dataset.content_hash, **facts}
            write_json(where.run, {"version": 1, **run, "table_sha256": {"oof": sha256_of_file(where.table("oof"))}})
        parts = [read_predictions(paths.fold(fold).table("oof")) for fold in range(self.folds.n_folds)]
        write_predictions(paths.table("oof"), merge_out_of_fold(parts, self.folds.image_ids))

    def compare(self, *arguments: str) -> int:
        return compare.main(["--runs", str(self.runs.folder.parent), "--resamples", "200", *arguments])

    def rows(self) -> list[dict[str, str]]:
        with self.runs.comparison.members.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "toy"
    folder.mkdir()
    labels = (np.random.default_rng(0).random((N, 2)) < 0.4).astype(int)
    lines = [f"{number:03d},{a},{b}" for number, (a, b) in enumerate(labels.tolist())]
    (folder / "train_labels.csv").write_text("\n".join(["id,left,right", *lines]) + "\n")
    (folder / "train_groups.csv").write_text("id,group\n" + "".join(f"{n:03d},p{n // 3}\n" for n in range(N)))
    dataset = read_dataset(folder, images=False)
    runs = dataset_runs(tmp_path / "runs", dataset.name)
    dataset, folds = open_folds(runs, dataset, FoldWish(n_folds=3))
    made = World(dataset, runs, folds)
    facts = {"weight_layers": 3, "parameters": 46_563, "pool": "max", "dense_layers": 1, "epochs": 3}
    made.add_member("one", noise=0.7, training_seconds=10.0, train_images_per_second=120.5, **facts)
    made.add_member("three", noise=1.5)  # as runs of older versions are
    return made


def test_it_ranks_prints_and_writes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_member("picked", noise=3.0, select="best_on_fold")
    assert world.compare() == 0
    shown = capsys.readouterr().out
    for words in (
        "Macro-F1",
        "blend (mean of 3) *",
        "* epoch picked on these rows (picked): flattered",
        "bce, pos_weight balanced",
        "46,563",
        "one − three",
        "What the blend loses without each one",
        "40 from train_groups.csv",
        "comparison.md and comparison*.csv beside it",
    ):
        assert words in shown
    assert max(map(len, shown.partition("written  ")[0].splitlines())) <= 80
    rows = world.rows()
    assert [row["member"] for row in rows] == ["one", "three", "picked"]
    assert [row["epoch_picked"] for row in rows] == ["0", "0", "1"]
    assert (rows[0]["training_seconds"], rows[0]["images_per_second"]) == ("30.0", "120.5")
    assert (rows[1]["training_seconds"], rows[1]["weight_layers"], rows[1]["batch_size"]) == ("", "", "64")
    assert world.runs.comparison.markdown.read_text().startswith("<!-- comparison of members by timm-ensemble, format")


def test_members_and_folder_are_the_users_choice(world: World) -> None:
    world.add_member("picked", noise=3.0)
    world.compare("three", "one", "--out", "tables/here", "--data", str(world.dataset.path))
    lines = Path("tables/here/comparison.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["member", "one", "three"]
    assert not world.runs.comparison.folder.exists()


def test_one_member_is_enough(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.compare()
    world.compare("three")
    shown = capsys.readouterr().out.split("dataset  ")[2]
    assert "Differences" not in shown
    assert "blend" not in shown
    assert sorted(path.name for path in world.runs.comparison.folder.iterdir()) == ["comparison.csv", "comparison.md"]


def test_the_seed_decides(world: World) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        world.compare("--seed", seed)
        texts.append(world.runs.comparison.members.read_text())
    assert texts[0] == texts[1] != texts[2]


def test_a_comparison_is_no_member(world: World) -> None:
    world.compare()
    assert [member.name for member in world.runs.members()] == ["one", "three"]
    with pytest.raises(DataError, match="'comparison' is reserved"):
        world.runs.member("comparison")


def test_members_that_cannot_be_compared_are_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="has no member 'four'; it has 'one', 'three'"):
        world.compare("one", "four")
    world.runs.member("three").fold(1).run.unlink()
    with pytest.raises(
        ArtefactError, match=r"three: fold 1 not finished \(of 3\)\. Finish it: python -m ensemble.train"
    ):
        world.compare("three")
    assert world.compare() == 0
    assert "skipped  three: fold 1 not finished (of 3)" in capsys.readouterr().out


def test_an_edited_run_is_refused(world: World) -> None:
    run = world.runs.member("one").fold(0).run
    write_json(run, {**json.loads(run.read_text()), "training_seconds": "long"})
    with pytest.raises(
        ArtefactError, match=r"fold_0/run\.json: expected training_seconds to be of type float, got 'long'"
    ):
        world.compare()


def test_flags_are_checked_before_anything_is_read(world: World) -> None:
    with pytest.raises(DataError, match="--resamples 0: expected 1 to 100000"):
        world.compare("--resamples", "0")
    Path("file").touch()
    with pytest.raises(DataError, match="--resamples 100001: expected 1 to 100000"):
        world.compare("--resamples", "100001")
    with pytest.raises(DataError, match="--out file: expected a folder"):
        world.compare("--out", "file")
    with pytest.raises(DataError, match="expected a place outside the dataset's folder"):
        world.compare("--out", str(world.dataset.path / "tables"))
    Path("comparison.csv").write_text("mine")
    with pytest.raises(DataError, match=r"which no comparison of ours wrote"):
        world.compare("--out", ".")
    assert Path("comparison.csv").read_text() == "mine"


def test_an_error_is_one_message_and_exit_code_2(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", "--runs", "nowhere"])
    assert run_command(compare.main) == 2


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "timm", "albumentations", "cv2", "torchvision", "optuna"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
from ensemble.compare import main
sys.exit(main(sys.argv[1:]))
"""


def test_comparing_needs_no_torch(world: World, python: Callable[..., str]) -> None:
    assert "one − three" in python("-W", "error", "-c", BLOCKED, "--runs", str(world.runs.folder.parent))


def test_help_imports_nothing_heavy(python: Callable[..., str]) -> None:
    shown = python(
        "-c",
        "import sys, ensemble.compare as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & "
        "{'numpy', 'pandas', 'rich', 'torch', 'optuna', 'scipy', 'sklearn', 'pyarrow', 'pydantic'}))",
    )
    assert "--out DIR" in shown
    assert shown.splitlines()[-1] == "[]"


@pytest.fixture
def python() -> Callable[..., str]:
    root = str(Path(compare.__file__).resolve().parent.parent)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], check=False, capture_output=True, text=True, env={"PYTHONPATH": root}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
