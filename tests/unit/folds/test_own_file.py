from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ensemble.dataset import Dataset
from ensemble.errors import DataError, FoldError
from ensemble.folds import FoldWish, ensure_folds
from ensemble.runs import DatasetRuns

N = 60


def write_own(path: Path, dataset: Dataset, n_folds: int = 4, header: str = "id,fold") -> Path:
    ids, groups = dataset.train.image_ids, dataset.train.groups
    numbers = np.arange(len(ids)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rows = [f"{name},{number % n_folds}" for name, number in zip(ids, numbers, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_own_file_is_copied(paths: DatasetRuns, dataset: Dataset, tmp_path: Path) -> None:
    own = write_own(tmp_path / "mine.csv", dataset)
    folds = ensure_folds(paths, dataset, FoldWish(file=own, n_folds=4))
    assert (folds.n_folds, folds.fold_seed, folds.source) == (4, None, "mine.csv")
    assert folds.folds.tolist() == [(number // 3) % 4 for number in range(N)]
    own_again = ensure_folds(paths, dataset, FoldWish(file=own))
    assert np.array_equal(own_again.folds, ensure_folds(paths, dataset, FoldWish()).folds)
    other = write_own(tmp_path / "other.csv", dataset, n_folds=5, header="image_id,fold")
    with pytest.raises(FoldError, match=r"\(mine.csv\) puts \d+ images into other folds than .*other.csv"):
        ensure_folds(paths, dataset, FoldWish(file=other))
    with pytest.raises(FoldError, match="says fold_seed 0, but they were made with none"):
        ensure_folds(paths, dataset, FoldWish(fold_seed=0))


def test_own_file_and_numbers_that_contradict(paths: DatasetRuns, dataset: Dataset, tmp_path: Path) -> None:
    own = write_own(tmp_path / "mine.csv", dataset)
    with pytest.raises(FoldError, match=r"says n_folds 5, but .*mine\.csv holds 4 folds"):
        ensure_folds(paths, dataset, FoldWish(file=own, n_folds=5))
    with pytest.raises(FoldError, match=r"fold_seed 0, but the folds come from .*mine\.csv, which has no seed"):
        ensure_folds(paths, dataset, FoldWish(file=own, fold_seed=0))
    assert not paths.folds_csv.exists()


def test_own_file_brings_groups(paths: DatasetRuns, tmp_path: Path, dataset_of: Callable[..., Dataset]) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("fold;group;id\n" + "".join(f"{k % 2};g{k % 4};{k:04d}\n" for k in range(N)))
    folds = ensure_folds(paths, dataset_of(grouped=False), FoldWish(file=own))
    assert folds.groups is not None
    assert folds.groups[:4].tolist() == ["g0", "g1", "g2", "g3"]
    assert folds.groups_source == "column 'group' of mine.csv (the holdout's are not known)"


def test_groups_of_the_dataset_are_not_said_to_be_the_files(
    paths: DatasetRuns, dataset: Dataset, tmp_path: Path
) -> None:
    folds = ensure_folds(paths, dataset, FoldWish(file=write_own(tmp_path / "mine.csv", dataset)))
    assert folds.groups_source == "groups.csv"


@pytest.mark.parametrize(
    ("rows", "messages"),
    [
        (["0000,0", "0000,1"], ["more than once: '0000', the first again on line 3", "59 training images are missing"]),
        ([f"{k:04d},{k // 30}" for k in range(N)] + ["x,0"], ["1 id is not a training image .*'x'"]),
        ([f"{k:04d},-1" for k in range(N)], ["expected folds 0, 1, 2, …, got line 2: '-1'.*55 more"]),
        ([f"{k:04d},0" for k in range(N)], ["expected at least 2 folds, got 1"]),
        ([f"{k:04d},{k // 30 * 2}" for k in range(N)], ["the largest fold is 2, but no image is in fold 1"]),
        ([f"{k:04d},{k % 2}" for k in range(N)], ["20 of the dataset's groups are in more than one fold: 'p000'"]),
    ],
)
def test_own_file_that_does_not_fit(
    paths: DatasetRuns, dataset: Dataset, tmp_path: Path, rows: list[str], messages: list[str]
) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("\n".join(["id,fold", *rows]) + "\n")
    for message in messages:
        with pytest.raises(FoldError, match=message):
            ensure_folds(paths, dataset, FoldWish(file=own))
    assert not paths.folds_csv.exists()


def test_own_file_without_the_columns(paths: DatasetRuns, dataset: Dataset, tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("name,fold\n0000,0\n")
    with pytest.raises(FoldError, match="expected a column 'image_id or id', got the columns 'name', 'fold'"):
        ensure_folds(paths, dataset, FoldWish(file=own))
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        ensure_folds(paths, dataset, FoldWish(file=tmp_path / "nowhere.csv"))


def test_own_groups_may_not_be_split(paths: DatasetRuns, tmp_path: Path, dataset_of: Callable[..., Dataset]) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("id,group,fold\n" + "".join(f"{k:04d},g,{k % 2}\n" for k in range(N)))
    with pytest.raises(FoldError, match="1 of the file's groups are in more than one fold: 'g'"):
        ensure_folds(paths, dataset_of(grouped=False), FoldWish(file=own))


def test_ids_with_and_without_their_ending_are_the_same_image(
    paths: DatasetRuns, tmp_path: Path, dataset_of: Callable[..., Dataset]
) -> None:
    plain = dataset_of(grouped=False)
    with_ending = np.array([f"{image_id}.png" for image_id in plain.train.image_ids.tolist()])
    folded = [k // 7 % 3 for k in range(N)]
    for name, ids, ending in (("a", plain.train.image_ids, ".png"), ("b", with_ending, "")):
        dataset = replace(plain, train=replace(plain.train, image_ids=ids))
        own = tmp_path / f"{name}.csv"
        own.write_text("id,fold\n" + "".join(f"{k:04d}{ending},{folded[k]}\n" for k in reversed(range(N))))
        folds = ensure_folds(DatasetRuns(tmp_path / name), dataset, FoldWish(file=own))
        assert folds.folds.tolist() == folded
        assert np.array_equal(folds.image_ids, ids)


def test_one_image_under_both_of_its_ids_is_there_twice(paths: DatasetRuns, dataset: Dataset, tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("id,fold\n" + "".join(f"{k:04d},{k % 2}\n" for k in range(N)) + "0001.png,1\n")
    with pytest.raises(FoldError, match=f"1 image is there more than once: '0001', the first again on line {N + 2}"):
        ensure_folds(paths, dataset, FoldWish(file=own))
