from pathlib import Path

import pytest

from ensemble.errors import DataError
from ensemble.runs import check_name, dataset_runs, only_dataset


@pytest.mark.parametrize("name", ["vgg14", "a.b-c_d+e", "7"])
def test_good_names(name: str) -> None:
    assert check_name(name, "the member name") == name


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "-x", "x" * 101, "a\n"])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(DataError, match="cannot be a folder's name"):
        check_name(name, "the member name")


@pytest.mark.parametrize("name", ["cache", "blends"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(DataError, match="is reserved"):
        dataset_runs(Path("runs"), "d").member(name)


def test_only_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found none\. Train a member first"):
        only_dataset(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "folds.csv").touch()
    assert only_dataset(tmp_path).folder == tmp_path / "a"
    (tmp_path / "b" / "folds.csv").touch()
    with pytest.raises(DataError, match=r"several datasets \(a, b\): say which with --data"):
        only_dataset(tmp_path)


def test_members_are_the_folders_with_a_recipe(tmp_path: Path) -> None:
    runs = dataset_runs(tmp_path, "d")
    for name in ("b", "a"):
        runs.member(name).folder.mkdir(parents=True)
        runs.member(name).recipe.touch()
    (runs.folder / "cache").mkdir()
    assert [member.name for member in runs.members()] == ["a", "b"]


def test_the_layout_is_as_documented(tmp_path: Path) -> None:
    runs = dataset_runs(tmp_path, "d")
    fold = runs.member("m").fold(3)
    found = [fold.run, fold.table("oof"), fold.weights, runs.member("m").table("test"), runs.blend("x").summary]
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "d/m/fold_3/run.json",
        "d/m/fold_3/oof.parquet",
        "d/m/fold_3/model.safetensors",
        "d/m/test.parquet",
        "d/blends/x/blend.json",
    ]


def test_results_cannot_lie_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for runs in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(DataError, match=r"expected a folder, or a place for one, but .*file is a file"):
            dataset_runs(runs, "d")


def test_the_page_of_a_dataset_lies_beside_its_folds(tmp_path: Path) -> None:
    assert dataset_runs(tmp_path, "d").explore_page == tmp_path / "d" / "explore.html"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("my data", "my_data"), ("Schädel", "Schadel"), ("a-b.c+d_1", "a-b.c+d_1"), (".x/y", "_x_y"), ("脳", "_")],
)
def test_a_datasets_folder_is_called_like_it_as_far_as_that_is_safe(name: str, folder: str, tmp_path: Path) -> None:
    assert dataset_runs(tmp_path, name).folder == tmp_path / folder


@pytest.mark.parametrize("name", ["cache", "x" * 101, ""])
def test_a_name_that_cannot_be_a_folder_names_the_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Give the dataset another name: name: in its dataset\.yaml"):
        dataset_runs(tmp_path, name)


def test_of_several_datasets_the_one_that_was_trained_is_meant(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "m" / "fold_0").mkdir(parents=True)
        (tmp_path / name / "folds.csv").touch()
    (tmp_path / "b" / "m" / "fold_0" / "run.json").touch()
    assert only_dataset(tmp_path).folder == tmp_path / "b"
    (tmp_path / "a" / "m" / "fold_0" / "run.json").touch()
    with pytest.raises(DataError, match=r"several datasets \(a, b\)"):
        only_dataset(tmp_path)
