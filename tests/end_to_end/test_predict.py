"""A blend's decisions on images: the same as its submission's, streamed, with nothing dropped in silence."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble import blend, demo, predict, train
from ensemble.blending import stack_members
from ensemble.dataset.ids import split_ending
from ensemble.errors import ArtefactError, DataError
from ensemble.evaluation.stored import read_blend
from ensemble.files import read_json, write_json
from ensemble.predictions import read_predictions
from ensemble.thresholds import NONE_POSITIVE

RECIPE = """data:      {{image_size: {size}, n_folds: 2}}
model:     {{name: cnn2}}
training:  {{epochs: 1, batch_size: {batch}, tta: {tta}}}
precision: float32
"""
MEMBERS = {"small": (32, 4, "null"), "large": (40, 16, "hflip")}
BLENDS = {
    "plain": (),
    "ruled": ("--at-least-one", "--exclusive", "class2", "--match-fold-models", "--combine", "mean_logits"),
    "ranks": ("--combine", "mean_ranks", "--thresholds", "global"),
    "by_image": ("--metric", "sample_f1", "--combine", "class_weights"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    assert demo.main([str(folder / "phantoms"), "--images", "60"]) == 0
    (folder / "phantoms" / "dataset.yaml").unlink()
    for name, (size, batch, tta) in MEMBERS.items():
        (folder / f"{name}.yaml").write_text(RECIPE.format(size=size, batch=batch, tta=tta))
        where = ["--data", str(folder / "phantoms"), "--runs", str(folder / "runs"), "--device", "cpu"]
        assert train.main([str(folder / f"{name}.yaml"), "--all-folds", *where]) == 0
    for name, flags in BLENDS.items():
        assert blend.main([*in_world(folder), "--name", name, "--submission", str(folder / f"{name}.csv"), *flags]) == 0
    return folder


def in_world(folder: Path) -> list[str]:
    return ["--data", str(folder / "phantoms"), "--runs", str(folder / "runs"), "--trials", "0"]


def blend_folder(folder: Path, name: str) -> Path:
    return folder / "runs" / "phantoms" / "blends" / name


def run(world: Path, images: Path, out: Path, *flags: str, name: str = "plain") -> int:
    return predict.main([str(images), "--blend", str(blend_folder(world, name)), "--out", str(out), *flags])


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("name", BLENDS)
def test_the_test_rows_are_decided_as_the_submission_decides_them(name: str, world: Path, tmp_path: Path) -> None:
    template = world / "phantoms" / "sample_submission.csv"
    assert run(world, template, tmp_path / "again.csv", "--probabilities", name=name) == 0
    assert (tmp_path / "again.csv").read_bytes() == (world / f"{name}.csv").read_bytes()
    stored = read_predictions(blend_folder(world, name) / "test.parquet")
    written = rows_of(tmp_path / "again.probabilities.csv")
    assert written[0][1:] == list(stored.class_names)
    assert [row[0] for row in written[1:]] == stored.image_ids.tolist()
    found = np.array([[float(text) for text in row[1:]] for row in written[1:]])
    np.testing.assert_array_equal(found, stored.probabilities())


@pytest.mark.parametrize("name", BLENDS)
def test_what_is_stored_is_the_whole_map_from_members_to_decisions(name: str, world: Path) -> None:
    stored = read_blend(blend_folder(world, name))
    for split in ("oof", "test"):
        tables = {one: read_predictions(world / "runs" / "phantoms" / one / f"{split}.parquet") for one in MEMBERS}
        stack = stack_members({one: tables[one] for one in stored.members})
        expected = read_predictions(blend_folder(world, name) / f"{split}.parquet").values
        np.testing.assert_array_equal(stored.chain.combination(stack), expected)


def test_a_folder_is_looked_through_and_its_files_are_named(world: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    (scans / "b").mkdir(parents=True)
    template = rows_of(world / "phantoms" / "sample_submission.csv")[1:]
    files = {split_ending(path.name)[0]: path for path in (world / "phantoms").rglob("*.png")}
    chosen = [files[split_ending(row[0])[0]] for row in template[:5]]
    for path in chosen[:2]:
        shutil.copy(path, scans / "b")
    for path in chosen[2:]:
        shutil.copy(path, scans)
    (scans / "notes.txt").write_text("none")
    (scans / "._hidden.png").write_text("none")
    assert run(world, scans, tmp_path / "out.csv") == 0
    decided = {split_ending(Path(row[0]).name)[0]: row[1:] for row in rows_of(tmp_path / "out.csv")[1:]}
    submitted = {split_ending(row[0])[0]: row[1:] for row in rows_of(world / "plain.csv")[1:]}
    assert len(decided) == 5
    assert all(submitted[name] == labels for name, labels in decided.items())
    assert {row[0] for row in rows_of(tmp_path / "out.csv")[1:] if "/" in row[0]} == {f"b/{p.name}" for p in chosen[:2]}
    assert run(world, chosen[0], tmp_path / "one.csv") == 0
    assert rows_of(tmp_path / "one.csv")[1] == [chosen[0].name, *decided[chosen[0].stem]]


def test_images_that_cannot_be_read_are_listed_and_reported(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((world / "phantoms").rglob("*.png"))[:4]
    broken = tmp_path / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:60])
    lines = ["name,path", *(f"n{number},{path}" for number, path in enumerate([*files, broken, tmp_path / "no.png"]))]
    (tmp_path / "ids.csv").write_text("\n".join(lines) + "\n")
    assert run(world, tmp_path / "ids.csv", tmp_path / "out.csv") == 1
    shown = capsys.readouterr().err
    assert "2 of 6 images could not be read" in shown
    assert [row[0] for row in rows_of(tmp_path / "out.csv")] == ["id", "n0", "n1", "n2", "n3"]
    listed = rows_of(tmp_path / "out.unreadable.csv")
    assert [row[0] for row in listed] == ["id", "n4", "n5"]
    assert "cannot be decoded" in listed[1][1]
    assert "missing" in listed[2][1]
    (tmp_path / "ids.csv").write_text("\n".join(lines[:5]) + "\n")
    with pytest.raises(DataError, match=r"out\.csv is there already\. Give --overwrite"):
        run(world, tmp_path / "ids.csv", tmp_path / "out.csv")
    assert run(world, tmp_path / "ids.csv", tmp_path / "out.csv", "--overwrite") == 0
    assert not (tmp_path / "out.unreadable.csv").exists()


def test_mirror_images_are_averaged(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans, mirrored = tmp_path / "scans", tmp_path / "mirrored"
    for folder in (scans, mirrored):
        folder.mkdir()
    for path in sorted((world / "phantoms").rglob("*.png"))[:3]:
        shutil.copy(path, scans)
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert cv2.imwrite(str(mirrored / path.name), np.ascontiguousarray(pixels[:, ::-1]))
    found = []
    for folder in (scans, mirrored):
        out = tmp_path / f"{folder.name}.csv"
        assert run(world, folder, out, "--tta", "hflip", "--probabilities") == 0
        rows = rows_of(out.with_name(f"{folder.name}.probabilities.csv"))[1:]
        found.append(np.array([[float(text) for text in row[1:]] for row in rows]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert "thresholds were chosen without --tta hflip for small; decisions can differ" in capsys.readouterr().out


def test_all_that_is_wrong_with_the_models_is_said_at_once(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "runs", tmp_path / "runs")
    runs = tmp_path / "runs" / "phantoms"
    (runs / "small" / "fold_0" / "model.safetensors").unlink()
    (runs / "small" / "fold_1" / "model.safetensors").write_bytes(b"other")
    recipe = runs / "large" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    with pytest.raises(ArtefactError) as error:
        run(tmp_path, world / "phantoms" / "images", tmp_path / "out.csv")
    for part in (r"small/fold_0/model.safetensors", "weights are missing", "changed after training", "not the recipe"):
        assert part in str(error.value)
    assert not (tmp_path / "out.csv").exists()
    shutil.rmtree(runs / "small")
    with pytest.raises(ArtefactError, match="the folder of member 'small' is missing"):
        run(tmp_path, world / "phantoms" / "images", tmp_path / "out.csv")


def test_facts_of_a_fold_that_are_missing_or_no_facts_are_named(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "runs", tmp_path / "runs")
    run_json = tmp_path / "runs" / "phantoms" / "small" / "fold_0" / "run.json"
    facts = read_json(run_json)
    for wrong, message in (
        ({"class_names": None}, r"as class_names, got 'None'\. Put an undamaged copy back"),
        ({"class_names": [1, 2, 3]}, r"as class_names, got '\[1, 2, 3\]'"),
        ({"threads": "many"}, "expected threads to be a whole number of at least 1, got 'many'"),
        ({"threads": 0}, "expected threads to be a whole number of at least 1, got '0'"),
    ):
        write_json(run_json, {key: value for key, value in {**facts, **wrong}.items() if value is not None})
        with pytest.raises(ArtefactError, match=rf"fold_0/run\.json: .*{message}"):
            run(tmp_path, world / "phantoms" / "images", tmp_path / "out.csv")


def test_a_member_that_was_trained_again_is_refused(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "runs", tmp_path / "runs")
    summary = blend_folder(tmp_path, "plain") / "blend.json"
    content = read_json(summary)
    content["models"]["small"]["weights"][1] = "0" * 64
    write_json(summary, content)
    with pytest.raises(ArtefactError, match="the fold was trained again since"):
        run(tmp_path, world / "phantoms" / "images", tmp_path / "out.csv")
    del content["models"]  # as releases before it wrote it
    write_json(summary, content)
    assert run(tmp_path, world / "phantoms" / "sample_submission.csv", tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_bytes() == (world / "plain.csv").read_bytes()
    content["member_tables_sha256"]["small"]["oof"] = "0" * 64
    write_json(summary, content)
    with pytest.raises(ArtefactError, match="not the table that the blend was made of"):
        run(tmp_path, world / "phantoms" / "images", tmp_path / "none.csv")


def test_a_blend_is_found_from_within_its_folder(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world / "runs", tmp_path / "runs")
    monkeypatch.chdir(blend_folder(tmp_path, "plain"))
    image = next((world / "phantoms").rglob("*.png"))
    assert predict.main([str(image), "--blend", "."]) == 0
    assert Path("predictions", f"{image.stem}.csv").exists()
    assert "predicted 1 of 1 images" in capsys.readouterr().out


def test_a_class_that_the_blend_never_calls_is_never_called(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "runs", tmp_path / "runs")
    summary = blend_folder(tmp_path, "plain") / "blend.json"
    content = json.loads(summary.read_text())
    head, *expected = rows_of(world / "plain.csv")
    place = next(place for place in range(1, len(head)) if "1" in {row[place] for row in expected})
    content["thresholds"][head[place]] = NONE_POSITIVE  # as where no training row is positive
    write_json(summary, content)
    assert run(tmp_path, world / "phantoms" / "sample_submission.csv", tmp_path / "out.csv") == 0
    changed = [[*row[:place], "0", *row[place + 1 :]] for row in expected]
    assert rows_of(tmp_path / "out.csv") == [head, *changed]


def test_blends_that_cannot_predict_are_refused(world: Path, tmp_path: Path) -> None:
    images = world / "phantoms" / "images"
    with pytest.raises(ArtefactError, match=r"expected the folder of a blend with a blend\.json"):
        predict.main([str(images), "--blend", str(tmp_path)])
    foreign = json.loads((blend_folder(world, "plain") / "blend.json").read_text())
    write_json(tmp_path / "blend.json", {**foreign, "models": None})
    with pytest.raises(ArtefactError, match="a blend of tables from anywhere"):
        predict.main([str(images), "--blend", str(tmp_path)])
    for wrong in (-5, 1.5, True, None, "0.5"):
        name, *_ = foreign["thresholds"]
        write_json(tmp_path / "blend.json", {**foreign, "thresholds": {**foreign["thresholds"], name: wrong}})
        said = rf"expected a threshold from 0 to 1, or 2\.0 for none, for '{name}', got"
        with pytest.raises(ArtefactError, match=said):
            predict.main([str(images), "--blend", str(tmp_path)])
    for wrong in (10**9, 1, 2.0, True, "2", None):
        write_json(tmp_path / "blend.json", {**foreign, "rows": {**foreign["rows"], "n_folds": wrong}})
        with pytest.raises(ArtefactError, match=rf"n_folds to be a whole number from 2 to 10,000, got '{wrong}'"):
            predict.main([str(images), "--blend", str(tmp_path)])
    endless = json.dumps({**foreign, "rows": {**foreign["rows"], "n_folds": "MANY"}}).replace('"MANY"', "1e999")
    (tmp_path / "blend.json").write_text(endless)
    with pytest.raises(ArtefactError, match="n_folds to be a whole number from 2 to 10,000, got 'inf'"):
        predict.main([str(images), "--blend", str(tmp_path)])
    write_json(tmp_path / "blend.json", {"version": 1, "models": {}})
    with pytest.raises(ArtefactError, match="it is damaged"):
        predict.main([str(images), "--blend", str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\na\n", "none of its 1 image was found"),
        ("id\n", "a header alone"),
        ("id\na\na\n", "expected every id once"),
    ],
)
def test_tables_of_ids_that_cannot_be_used(text: str, message: str, world: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        run(world, tmp_path / "ids.csv", tmp_path / "out.csv")


def test_places_that_cannot_be_written_or_read_are_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.dat").touch()
    with pytest.raises(DataError, match="found none among 0 files"):
        run(world, tmp_path / "empty", tmp_path / "out.csv")
    with pytest.raises(DataError, match="there is no such file"):
        run(world, tmp_path / "nowhere", tmp_path / "out.csv")
    with pytest.raises(DataError, match="expected a folder, an image"):
        run(world, tmp_path / "file.dat", tmp_path / "out.csv")
    with pytest.raises(DataError, match="expected a file FOLDER/NAME"):
        run(world, world / "phantoms", tmp_path / "empty")
    template = world / "phantoms" / "sample_submission.csv"
    with pytest.raises(DataError, match="only read"):
        run(world, template, template)
