"""The mission's two commands on a small phantom dataset, and what they refuse."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ensemble import blend, demo, train
from ensemble.data.loaders import ImageRows
from ensemble.errors import ArtefactError, EnsembleError, FoldError, RecipeError
from ensemble.predictions import read_predictions
from ensemble.report.progress import FoldProgress
from ensemble.training import scoring
from ensemble.training.history import EpochRow

RECIPE = """# A small member for tests.
data:      {image_size: 32, n_folds: 2}
augment:   [{HorizontalFlip: {p: 0.5}}, {Affine: {rotate: [-10, 10], p: 0.7}}]
model:     {name: cnn2}
optimizer: {name: adam, lr: 1e-3}
training:  {epochs: 2, batch_size: 16, ema_decay: 0.9}
precision: float32
"""
# Training losses of both epochs of fold 0: a change of data, order, augmentation, network or step shows here.
GOLDEN_LOSSES = [0.78778191, 0.66309409]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    assert demo.main([str(folder), "--images", "80"]) == 0
    # The demo's own fold count would win over the recipe's.
    (folder / "dataset.yaml").unlink()
    return folder


def run_train(folder: Path, dataset: Path, *flags: str) -> int:
    (folder / "small.yaml").write_text(RECIPE)
    arguments = [str(folder / "small.yaml"), "--data", str(dataset), "--runs", str(folder / "runs")]
    return train.main([*arguments, "--device", "cpu", *flags])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert run_train(folder, dataset, "--all-folds") == 0
    return folder


def member(folder: Path) -> Path:
    return folder / "runs" / "phantoms" / "small"


def test_every_training_image_is_predicted_once_by_the_fold_that_held_it_out(trained: Path, dataset: Path) -> None:
    table = read_predictions(member(trained) / "oof.parquet")
    with (dataset / "train_labels.csv").open() as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    assert table.image_ids.tolist() == ids
    with (trained / "runs" / "phantoms" / "folds.csv").open() as stream:
        folds = {row["image_id"]: int(row["fold"]) for row in csv.DictReader(stream)}
    assert table.folds is not None
    assert table.folds.tolist() == [folds[image_id] for image_id in ids]
    assert np.isfinite(table.values).all()


def test_holdout_and_test_tables_are_means_of_the_fold_models(trained: Path) -> None:
    for split in ("holdout", "test"):
        parts = [read_predictions(member(trained) / f"fold_{fold}" / f"{split}.parquet") for fold in (0, 1)]
        merged = read_predictions(member(trained) / f"{split}.parquet")
        expected = np.mean([part.probabilities() for part in parts], axis=0)
        np.testing.assert_allclose(merged.probabilities(), expected, rtol=1e-6)


def test_golden_losses(trained: Path) -> None:
    with (member(trained) / "fold_0" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:8] == [
        "epoch",
        "train_loss",
        "train_images_per_second",
        "fold_loss",
        "fold_macro_f1",
        "fold_macro_average_precision",
        "learning_rate",
        "seconds",
    ]
    assert [float(row["train_loss"]) for row in rows] == pytest.approx(GOLDEN_LOSSES, rel=2e-3)


def test_run_json_says_what_ran(trained: Path) -> None:
    facts = json.loads((member(trained) / "fold_1" / "run.json").read_text())
    assert (facts["version"], facts["member"], facts["fold"], facts["epochs"]) == (1, "small", 1, 2)
    assert (facts["precision"], facts["device"], facts["select"]) == ("float32", "cpu", "last")
    assert facts["folds_sha256"] == json.loads((trained / "runs" / "phantoms" / "folds.json").read_text())["sha256"]
    assert (facts["weight_layers"], facts["pool"], facts["dense_layers"]) == (3, "max", 1)
    assert facts["versions"]["torch"]
    assert not (member(trained) / "fold_1" / "checkpoint.pt").exists()


def test_blend_writes_the_templates_ids_and_header(
    trained: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    assert blend.main(["--data", str(dataset), "--trials", "5"]) == 0
    shown = capsys.readouterr().out
    assert "cross-fitted" in shown.splitlines()[0]
    assert "best possible rule" in shown
    wanted = (dataset / "sample_submission.csv").read_text().splitlines()
    written = (trained / "submissions" / "blend.csv").read_text().splitlines()
    assert written[0] == wanted[0]
    assert [line.split(",")[0] for line in written] == [line.split(",")[0] for line in wanted]
    assert {cell for line in written[1:] for cell in line.split(",")[1:]} <= {"0", "1"}
    stored = json.loads((trained / "runs" / "phantoms" / "blends" / "blend" / "blend.json").read_text())
    assert set(stored["members"]) == {"small"}
    assert list(stored["thresholds"]) == ["class1", "class2", "class3"]


def test_the_same_command_again_trains_nothing(
    trained: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (member(trained) / "fold_0" / "run.json").read_bytes()
    assert run_train(trained, dataset, "--all-folds") == 0
    shown = capsys.readouterr().out
    assert "fold 0  is finished" in shown
    assert f"next: python -m ensemble.blend --data {dataset} --runs {trained / 'runs'}" in shown
    assert (member(trained) / "fold_0" / "run.json").read_bytes() == before


def test_another_recipe_under_the_same_name_is_refused(trained: Path, dataset: Path) -> None:
    with pytest.raises(ArtefactError, match=r"training\.epochs.*Use --name OTHER"):
        run_train(trained, dataset, "--fold", "0", "--set", "training.epochs=3")


def test_a_fold_out_of_range_is_refused(trained: Path, dataset: Path) -> None:
    with pytest.raises(FoldError, match="--fold 7: expected 0 to 1"):
        run_train(trained, dataset, "--fold", "7")


def test_another_fold_count_is_refused(trained: Path, dataset: Path) -> None:
    with pytest.raises(FoldError, match=r"n_folds 3.*made with 2"):
        run_train(trained, dataset, "--fold", "0", "--set", "data.n_folds=3")


def test_recipe_parts_that_do_not_work_are_listed_together(trained: Path, dataset: Path) -> None:
    flags = ["--set", "model.name=resnet", "--set", "optimizer.name=adamm", "--set", "augment=[{ToRGB: {}}]"]
    with pytest.raises(RecipeError) as caught:
        run_train(trained, dataset, "--fold", "0", *flags)
    for part in ("3 problems", "ToRGB", "'resnet'", "'adamm'"):
        assert part in str(caught.value)


def test_a_missing_dataset_names_the_command_that_makes_one(trained: Path) -> None:
    with pytest.raises(EnsembleError, match=r"python -m ensemble\.demo"):
        run_train(trained, trained / "nowhere", "--fold", "0")


def test_no_data_path_is_said(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(RECIPE)
    drawn = r"data\.path is not set(.|\n)*train_labels\.csv(.|\n)*python -m ensemble\.demo DIR.*--size origin"
    with pytest.raises(RecipeError, match=drawn):
        train.main([str(tmp_path / "small.yaml"), "--fold", "0"])


@pytest.mark.parametrize("flags", [[], ["--fold", "0", "--all-folds"]])
def test_fold_or_all_folds(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([str(tmp_path / "r.yaml"), *flags]) == 2
    assert "either --fold K or --all-folds" in capsys.readouterr().err


def test_list_and_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(["--list"]) == 0
    assert "vgg14" in capsys.readouterr().out
    assert train.main(["--copy", "vgg14"]) == 0
    assert (tmp_path / "recipes" / "vgg14.yaml").exists()


def test_an_interrupted_fold_goes_on_and_ends_byte_equal(
    trained: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FoldProgress.batch_done
    epochs_done = []

    def stop_in_the_second_epoch(self: FoldProgress, images: int, mean_loss: object) -> None:
        original(self, images, mean_loss)  # type: ignore[arg-type]
        if epochs_done:
            raise KeyboardInterrupt

    monkeypatch.setattr(FoldProgress, "epoch_done", lambda _self, row: epochs_done.append(row))
    monkeypatch.setattr(FoldProgress, "batch_done", stop_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        run_train(tmp_path, dataset, "--fold", "0")
    monkeypatch.undo()
    assert not (member(tmp_path) / "fold_0" / "run.json").exists()
    assert run_train(tmp_path, dataset, "--fold", "0") == 0
    facts = json.loads((member(tmp_path) / "fold_0" / "run.json").read_text())
    assert facts["resumed_from_epoch"] == 1
    for split in ("oof", "holdout", "test"):
        name = Path("fold_0") / f"{split}.parquet"
        assert (member(tmp_path) / name).read_bytes() == (member(trained) / name).read_bytes()


def test_workers_and_the_place_of_the_cache_change_no_byte(trained: Path, dataset: Path, tmp_path: Path) -> None:
    cache = tmp_path / "elsewhere"
    assert run_train(tmp_path, dataset, "--fold", "0", "--workers", "2", "--cache", str(cache)) == 0
    assert list(cache.glob("*/images.npy"))
    assert not (tmp_path / "runs" / "phantoms" / "cache").exists()
    name = Path("fold_0") / "oof.parquet"
    assert (member(tmp_path) / name).read_bytes() == (member(trained) / name).read_bytes()


def test_selection_by_the_fold_is_marked_and_said(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_train(tmp_path, dataset, "--fold", "0", "--set", "training.select=best_on_fold") == 0
    table = read_predictions(member(tmp_path) / "fold_0" / "oof.parquet")
    assert table.notes["select"] == "best_on_fold"
    shown = capsys.readouterr().out
    epoch = json.loads((member(tmp_path) / "fold_0" / "run.json").read_text())["chosen_epoch"]
    said = f"small fold 0  keeps the weights of epoch {epoch} of 2: the highest average precision on the held-out fold"
    assert said in shown
    assert said in (member(tmp_path) / "fold_0" / "train.log").read_text()
    again = f"--fold 1 --data {dataset} --set training.select=best_on_fold --device cpu --runs {tmp_path / 'runs'}"
    assert f"next: python -m ensemble.train {tmp_path / 'small.yaml'} {again}\n" in shown


def test_early_stopping_keeps_the_best_epoch_of_the_inner_slice(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = itertools.count(1.0)
    watched = []

    def rising_loss(fold: object, rows: ImageRows, _logits: object) -> float:
        watched.append((len(rows), len(fold.data.training)))  # type: ignore[attr-defined]
        return next(losses)

    monkeypatch.setattr(scoring, "_loss_of", rising_loss)
    stopping = "training.early_stopping={patience_epochs: 2, inner_fraction: 0.25}"
    assert run_train(tmp_path, dataset, "--fold", "0", "--set", stopping, "--set", "training.epochs=9") == 0
    facts = json.loads((member(tmp_path) / "fold_0" / "run.json").read_text())
    assert (facts["chosen_epoch"], facts["epochs"], facts["select"]) == (1, 3, "lowest_inner_loss")
    log = (member(tmp_path) / "fold_0" / "train.log").read_text()
    assert "keeps the weights of epoch 1 of 3: the lowest loss on the inner slice" in log
    assert "; stopped after 2 without a lower inner loss" in log
    with (tmp_path / "runs" / "phantoms" / "folds.csv").open() as stream:
        n_outside = sum(row["fold"] != "0" for row in csv.DictReader(stream))
    inner_rows, training_rows = watched[1]
    assert inner_rows + training_rows == n_outside
    assert inner_rows / n_outside == pytest.approx(0.25, rel=0.25)
    share = f"{inner_rows / n_outside:.1%} of the {n_outside} outside the fold (inner_fraction: 0.25)"
    assert f"early stopping watches {inner_rows} images and does not train on them: {share}" in log


def test_early_stopping_watches_epochs_at_full_size_alone(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = itertools.count(1.0)
    monkeypatch.setattr(scoring, "_loss_of", lambda *_: next(losses))
    settings = [
        "model={name: resnet18, args: {channels: [8, 8, 8, 8]}}",
        "training={epochs: 5, progressive: [{until: 0.4, size: 0.5}], early_stopping: {patience_epochs: 1}}",
    ]
    assert run_train(tmp_path, dataset, "--fold", "0", *(text for one in settings for text in ("--set", one))) == 0
    facts = json.loads((member(tmp_path) / "fold_0" / "run.json").read_text())
    assert (facts["chosen_epoch"], facts["epochs"]) == (3, 4)


def test_holdout_rows_can_join_the_folds(dataset: Path, tmp_path: Path) -> None:
    assert run_train(tmp_path, dataset, "--all-folds", "--set", "data.holdout=false", "--set", "training.epochs=1") == 0
    table = read_predictions(member(tmp_path) / "oof.parquet")
    assert len(table) == 100
    assert not (member(tmp_path) / "holdout.parquet").exists()


def test_plain_lines_and_a_log(trained: Path) -> None:
    lines = (member(trained) / "fold_0" / "train.log").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("small fold 0  epoch 1/2  train loss")


def test_nothing_was_written_into_the_dataset(trained: Path, dataset: Path) -> None:
    assert trained.exists()
    assert not [name for name in dataset.iterdir() if "cache" in name.name or "runs" in name.name]


def test_epoch_rows_survive_a_checkpoint() -> None:
    row = EpochRow(1, 0.5, 10.0, 0.4, 0.3, 0.2, 1e-3, 2.0)
    assert EpochRow.from_mapping({**row.__dict__}) == EpochRow.from_mapping(row.__dict__)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--fold", "7"], "--fold 7: expected 0 to 1"),
        (
            ["--fold", "0", "--set", "training.early_stopping={patience_epochs: 1, inner_fraction: 0.001}"],
            r"inner_fraction is 0\.001, but outside fold 0 there are only \d+ groups",
        ),
        (["--fold", "0", "--set", "model.pretrained=nowhere.pth"], "nowhere.pth is no file"),
        (["--fold", "0", "--folds", "nowhere.csv"], "nowhere.csv"),
        (["--fold", "0", "--cache", "{dataset}/cache"], "outside the dataset's folder .*, which is only ever read"),
        (["--fold", "0", "--runs", "{dataset}/runs"], "--runs .*: expected a place outside the dataset's folder"),
        (["--fold", "0", "--cache", "{dataset}/train_labels.csv"], "--cache .*: expected a folder, .* is a file"),
    ],
)
def test_what_is_refused_fixes_nothing(dataset: Path, tmp_path: Path, flags: list[str], said: str) -> None:
    with pytest.raises(EnsembleError, match=said):
        run_train(tmp_path, dataset, *(flag.format(dataset=dataset) if "{d" in flag else flag for flag in flags))
    assert not (tmp_path / "runs" / "phantoms" / "folds.csv").exists()
    assert not member(tmp_path).exists()


def test_folds_trained_on_other_images_are_not_merged(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "my phantoms"
    shutil.copytree(dataset, copy)
    assert run_train(tmp_path, copy, "--fold", "0", "--set", "training.epochs=1") == 0
    assert f"results    in {tmp_path / 'runs' / 'my_phantoms'}:" in capsys.readouterr().out
    moved = tmp_path / "moved" / "my phantoms"
    shutil.copytree(copy, moved, copy_function=shutil.copyfile)  # other times, the same pixels
    assert run_train(tmp_path, moved, "--fold", "0", "--set", "training.epochs=1") == 0
    first, second, *_ = sorted((moved / "images").iterdir())
    first.write_bytes(second.read_bytes())
    with pytest.raises(FoldError, match=r"trained on another set of images \(files were replaced since\)"):
        run_train(tmp_path, moved, "--fold", "1", "--set", "training.epochs=1")
