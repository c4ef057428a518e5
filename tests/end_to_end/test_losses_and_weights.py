"""What a loss or missing weights refuse, they refuse before images are decoded; and folds train with other losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble import demo, train
from ensemble.errors import RecipeError
from ensemble.predictions import read_predictions

RECIPE = """# A small member for tests.
data:      {image_size: 16, n_folds: 2}
model:     {name: cnn2}
training:  {epochs: 1, batch_size: 16}
precision: float32
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    assert demo.main([str(folder), "--images", "40"]) == 0
    (folder / "dataset.yaml").unlink()
    return folder


@pytest.fixture(scope="module")
def partly_labelled(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images, with the first class of two rows not labelled."""
    folder = tmp_path_factory.mktemp("partly") / "partly"
    folder.mkdir()
    for path in dataset.iterdir():
        (folder / path.name).symlink_to(path)
    table = folder / "train_labels.csv"
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    table.unlink()
    for place in (1, 5):
        cells = rows[place].split(",")
        rows[place] = ",".join([cells[0], "", *cells[2:]])
    table.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return folder


def run(folder: Path, dataset: Path, *settings: str) -> int:
    (folder / "small.yaml").write_text(RECIPE, encoding="utf-8")
    flags = [part for setting in settings for part in ("--set", setting)]
    paths = ["--data", str(dataset), "--runs", str(folder / "runs")]
    return train.main([str(folder / "small.yaml"), "--all-folds", "--device", "cpu", *paths, *flags])


@pytest.mark.parametrize("loss", ["asl", "soft_f1"])
def test_losses_that_mask_train_on_missing_labels(loss: str, partly_labelled: Path, tmp_path: Path) -> None:
    assert run(tmp_path, partly_labelled, f"loss.name={loss}") == 0
    assert len(read_predictions(tmp_path / "runs" / "partly" / "small" / "oof.parquet").image_ids) == 40


def test_db_trains_with_arguments_on_full_labels(dataset: Path, tmp_path: Path) -> None:
    assert run(tmp_path, dataset, "loss.name=db", "loss.args.focal_gamma=0") == 0
    stored = (tmp_path / "runs" / "phantoms" / "small" / "recipe.yaml").read_text(encoding="utf-8")
    assert "focal_gamma: 0" in stored


@pytest.mark.parametrize("loss", ["zlpr", "cross_entropy"])
def test_other_losses_refuse_them_before_anything_is_written(loss: str, partly_labelled: Path, tmp_path: Path) -> None:
    message = rf"small\.yaml cannot be trained: loss\.name: {loss} compares .*, and 2 of the training rows' 120 labels"
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, partly_labelled, f"loss.name={loss}")
    assert not (tmp_path / "runs").exists()


def test_weights_that_cannot_be_had_are_said_before_images_are_decoded(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(name: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("ensemble.models.build.weights_source", unreachable)
    with pytest.raises(RecipeError, match=r"model\.pretrained: .*no route to host.*--set model\.pretrained=false"):
        run(tmp_path, dataset, "model={name: resnet10t, pretrained: true}", "data.image_size=32")
    assert not list((tmp_path / "runs").rglob("*cache*"))
