"""``verify``: everything that a finished fold left is held against the hashes in its ``run.json``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble.errors import ArtefactError
from ensemble.files import read_json, sha256_of_file, write_json, write_text
from ensemble.folds import read_folds
from ensemble.folds.fold_file import FoldFile, write_folds
from ensemble.predictions import PredictionTable, merge_out_of_fold, write_predictions
from ensemble.recipe import Recipe, dump_recipe, recipe_hash, stored_recipe_hash
from ensemble.recipe.schema import DataSettings, ModelSettings
from ensemble.runs import DatasetRuns, MemberPaths, dataset_runs
from ensemble.sealed import verify
from ensemble.train import main

IDS = np.array(["a", "b", "c", "d"])
RECIPE = Recipe(model=ModelSettings(name="cnn2"), data=DataSettings(path=Path("here")))


@pytest.fixture
def member(tmp_path: Path) -> MemberPaths:
    runs = dataset_runs(tmp_path / "runs", "toy")
    folds = FoldFile(IDS, None, np.array([0, 1, 0, 1], np.int16), 2, "", False, 0, "made", "d1", "none")
    write_folds(runs, folds)
    member = runs.member("small")
    write_text(member.recipe, dump_recipe(RECIPE, ["seed=0"]))
    tables = [finish(member, fold, runs) for fold in (0, 1)]
    write_predictions(member.table("oof"), merge_out_of_fold(tables, IDS))
    return member


def finish(member: MemberPaths, fold: int, runs: DatasetRuns) -> PredictionTable:
    paths = member.fold(fold)
    values = np.array([[0.5], [-1.0]], np.float32) + fold
    table = PredictionTable(IDS[[fold, fold + 2]], ("c",), values, folds=np.full(2, fold, np.int16))
    write_predictions(paths.table("oof"), table)
    write_text(paths.weights, f"weights {fold}")
    facts = {
        "version": 1,
        "recipe": recipe_hash(RECIPE),
        "folds_sha256": read_folds(runs).sha256,
        "table_sha256": {"oof": sha256_of_file(paths.table("oof"))},
        "weights_sha256": sha256_of_file(paths.weights),
    }
    write_json(paths.run, facts)
    return table


def test_what_nobody_touched_passes_wherever_one_points(member: MemberPaths) -> None:
    assert verify(member.folder).checked == 7  # twice recipe and folds, table, weights; the merged table
    assert verify(member.folder.parent).checked == 7
    assert verify(member.fold(1).folder).checked == 4
    assert verify(member.folder).unsealed == ()


def test_a_stored_recipe_has_the_hash_of_the_recipe_wherever_the_data_lies(member: MemberPaths) -> None:
    elsewhere = RECIPE.model_copy(update={"data": DataSettings(path=Path("there"))})
    assert stored_recipe_hash(member.recipe) == recipe_hash(RECIPE) == recipe_hash(elsewhere)
    assert recipe_hash(RECIPE.model_copy(update={"seed": 1})) != recipe_hash(RECIPE)


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def _other_values(path: Path) -> None:
    table = PredictionTable(IDS[[0, 2]], ("c",), np.zeros((2, 1), np.float32), folds=np.zeros(2, np.int16))
    write_predictions(path, table)


TAMPERED: dict[str, tuple[Callable[[MemberPaths], Path], Callable[[Path], None], str]] = {
    "weights": (lambda m: m.fold(1).weights, _append, "it was changed after training"),
    "lost weights": (lambda m: m.fold(0).weights, Path.unlink, "weights are missing"),
    "table": (lambda m: m.fold(0).table("oof"), _other_values, "it was changed after training"),
    "lost table": (lambda m: m.fold(0).table("oof"), Path.unlink, "the prediction table is missing"),
    "merged": (lambda m: m.table("oof"), _other_values, "oof.parquet"),
    "lost merged table": (lambda m: m.table("oof"), Path.unlink, "is missing"),
    "added table": (lambda m: m.fold(1).table("test"), _other_values, "it was changed after training"),
    "added merged table": (lambda m: m.table("holdout"), _other_values, "holdout.parquet"),
    "lost recipe": (lambda m: m.recipe, Path.unlink, "recipe.yaml"),
    "lost fold file": (lambda m: m.folder.parent / "folds.csv", Path.unlink, "the fold file is missing"),
    "recipe": (lambda m: m.recipe, lambda p: write_text(p, p.read_text().replace("seed: 0", "seed: 1")), "put that"),
    "fold file": (lambda m: m.folder.parent / "folds.csv", _append, "was changed after it was written"),
    "facts": (lambda m: m.fold(0).run, lambda p: write_text(p, "{"), "expected a JSON file"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_is_named(member: MemberPaths, what: str) -> None:
    path_of, tamper, said = TAMPERED[what]
    tamper(path_of(member))
    with pytest.raises(ArtefactError, match=said) as caught:
        verify(member.folder)
    assert path_of(member).name in str(caught.value)


def test_all_changes_at_once_and_none_of_them_twice(member: MemberPaths) -> None:
    _append(member.fold(0).weights)
    _append(member.folder.parent / "folds.csv")
    with pytest.raises(ArtefactError, match="2 problems"):
        verify(member.folder)


def test_an_earlier_release_stored_no_hash_of_the_weights(
    member: MemberPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = read_json(member.fold(0).run)
    del facts["weights_sha256"]
    write_json(member.fold(0).run, facts)
    assert verify(member.folder).unsealed == (member.fold(0).weights,)
    assert main(["--verify", str(member.folder)]) == 0
    said = capsys.readouterr().out
    assert "6 checks passed" in said
    assert "stored no hash" in said


def test_unfinished_folds_are_named(member: MemberPaths, capsys: pytest.CaptureFixture[str]) -> None:
    member.fold(1).run.unlink()
    member.table("oof").unlink()
    assert main(["--verify", str(member.folder)]) == 0
    said = capsys.readouterr().out
    assert "3 checks passed" in said
    assert "unfinished: " in said
    assert "fold_1" in said


def test_files_that_training_does_not_write_are_named(member: MemberPaths, capsys: pytest.CaptureFixture[str]) -> None:
    (member.fold(0).folder / "notes.txt").touch()
    (member.folder / "oof (copy).parquet").touch()
    for ours in (".lock", "checkpoint.pt", "metrics.csv", ".run.json.1.tmp"):
        (member.fold(0).folder / ours).touch()
    assert main(["--verify", str(member.folder)]) == 0
    said = capsys.readouterr().out
    assert "not written by training, and read by nothing: 'oof (copy).parquet', 'fold_0/notes.txt'\n" in said
    assert len(verify(member.folder).foreign) == 2
    assert main(["--verify", str(member.fold(0).folder)]) == 0
    assert "'notes.txt'" in capsys.readouterr().out


def test_a_fold_that_the_fold_file_does_not_know_is_named(member: MemberPaths) -> None:
    shutil.copytree(member.fold(1).folder, member.fold(7).folder)
    found = verify(member.folder)
    assert found.checked == 7
    assert found.foreign == (member.fold(7).folder,)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="expected the folder of a dataset's runs"):
        verify(tmp_path)
