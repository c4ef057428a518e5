from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ensemble.dataset import Dataset, Split
from ensemble.errors import ArtefactError, DataError, FoldError
from ensemble.folds import FoldFile, FoldWish, ensure_folds, open_folds, preview_folds, read_folds
from ensemble.runs import DatasetRuns

N = 60


def test_first_call_writes_and_later_calls_read(paths: DatasetRuns, dataset: Dataset) -> None:
    made = ensure_folds(paths, dataset, FoldWish())
    written = paths.folds_csv.read_bytes()
    again = ensure_folds(paths, dataset, FoldWish(n_folds=5, fold_seed=0, holdout=True))
    assert paths.folds_csv.read_bytes() == written
    assert (made.n_folds, made.fold_seed, made.source, made.holdout_in_folds) == (5, 0, "made", False)
    assert np.array_equal(made.image_ids, dataset.train.image_ids)
    assert np.array_equal(made.folds, again.folds)
    assert written.startswith(b"image_id,group,fold\n0000,p000,")
    facts = json.loads(paths.folds_json.read_text())
    assert facts["sha256"] == made.sha256
    assert facts["groups_source"] == "groups.csv"
    assert facts["content_hash"] == dataset.content_hash


def test_what_a_killed_start_left_is_removed(paths: DatasetRuns, dataset: Dataset) -> None:
    paths.folder.mkdir(parents=True, exist_ok=True)
    others = paths.folder / ".schedule.json.0123.tmp"  # its writer holds no lock
    for path in (others, *(paths.folder / f".{one.name}.0123.tmp" for one in (paths.folds_csv, paths.folds_json))):
        path.touch()
    ensure_folds(paths, dataset, FoldWish())
    assert sorted(paths.folder.glob(".*.tmp")) == [others]


def test_read_folds_gives_the_same(paths: DatasetRuns, dataset: Dataset) -> None:
    made = ensure_folds(paths, dataset, FoldWish(n_folds=3, fold_seed=7))
    read = read_folds(paths)
    assert isinstance(read, FoldFile)
    assert read.image_ids.tolist() == sorted(dataset.train.image_ids.tolist())
    assert read.groups is not None
    assert read.folds.dtype == np.int16
    assert np.array_equal(read.folds, made.folds)
    assert (read.n_folds, read.fold_seed, read.sha256) == (3, 7, made.sha256)


@pytest.mark.parametrize("grouped", [True, False])
def test_row_order_is_irrelevant(tmp_path: Path, grouped: bool, dataset_of: Callable[..., Dataset]) -> None:
    dataset = dataset_of(grouped=grouped)
    order = np.random.default_rng(2).permutation(N)
    train = dataset.train
    assert train.labels is not None
    groups = None if train.groups is None else train.groups[order]
    other = replace(dataset, train=Split(train.image_ids[order], train.labels[order], groups, train.image_files))
    here, there = DatasetRuns(tmp_path / "a"), DatasetRuns(tmp_path / "b")
    first, second = ensure_folds(here, dataset, FoldWish()), ensure_folds(there, other, FoldWish())
    assert first.sha256 == second.sha256
    assert np.array_equal(second.image_ids, other.train.image_ids)
    assert np.array_equal(first.folds[order], second.folds)


def test_without_groups_the_column_is_empty(paths: DatasetRuns, dataset_of: Callable[..., Dataset]) -> None:
    assert ensure_folds(paths, dataset_of(grouped=False), FoldWish()).groups is None
    assert paths.folds_csv.read_text().splitlines()[1].startswith("0000,,")
    assert read_folds(paths).groups is None


def test_dataset_yaml_ranks_above_the_defaults(paths: DatasetRuns, dataset_of: Callable[..., Dataset]) -> None:
    folds = ensure_folds(paths, dataset_of(n_folds=4, fold_seed=3), FoldWish())
    assert (folds.n_folds, folds.fold_seed) == (4, 3)


def test_dataset_yaml_and_recipe_that_contradict_are_named_together(
    paths: DatasetRuns, dataset_of: Callable[..., Dataset]
) -> None:
    stated = dataset_of(n_folds=4, fold_seed=3, holdout_wanted=True)
    with pytest.raises(FoldError, match="3 problems") as caught:
        ensure_folds(paths, stated, FoldWish(n_folds=5, fold_seed=2, holdout=False))
    assert "dataset.yaml says n_folds 4, the recipe (or --set) says data.n_folds 5" in str(caught.value)
    assert not paths.folds_csv.exists()


def test_a_later_wish_that_differs_is_refused(paths: DatasetRuns, dataset: Dataset) -> None:
    ensure_folds(paths, dataset, FoldWish())
    with pytest.raises(FoldError, match="2 problems") as caught:
        ensure_folds(paths, replace(dataset, fold_seed=1), FoldWish(n_folds=10))
    text = str(caught.value)
    assert "the recipe (or --set) says n_folds 10, but they were made with 5" in text
    assert "dataset.yaml says fold_seed 1, but they were made with 0" in text
    assert f"remove {paths.folder}" in text
    assert "another --runs" in text


def test_holdout_in_the_folds(paths: DatasetRuns, dataset: Dataset) -> None:
    divided, folds = open_folds(paths, dataset, FoldWish(holdout=False))
    assert divided.holdout is None
    assert len(folds.folds) == N + 15
    assert folds.holdout_in_folds
    later, same = open_folds(paths, dataset, FoldWish())
    assert len(later.train) == N + 15
    assert np.array_equal(same.folds, folds.folds)
    with pytest.raises(FoldError, match="says holdout True, but they were made with False"):
        open_folds(paths, dataset, FoldWish(holdout=True))
    with pytest.raises(FoldError, match="which were not added to the training rows: use open_folds"):
        ensure_folds(paths, dataset, FoldWish())


def test_holdout_outside_the_folds(paths: DatasetRuns, dataset: Dataset) -> None:
    same, folds = open_folds(paths, dataset, FoldWish())
    assert same is dataset
    assert len(folds.folds) == N
    with pytest.raises(FoldError, match="says holdout False, but they were made with True"):
        open_folds(paths, dataset, FoldWish(holdout=False))


def test_dataset_yaml_puts_the_holdout_into_the_folds(paths: DatasetRuns, dataset_of: Callable[..., Dataset]) -> None:
    assert open_folds(paths, dataset_of(holdout_wanted=False), FoldWish())[1].holdout_in_folds


def test_holdout_that_was_not_added_is_refused(paths: DatasetRuns, dataset: Dataset) -> None:
    with pytest.raises(FoldError, match="not added to the training rows: use open_folds"):
        ensure_folds(paths, dataset, FoldWish(holdout=False))


def test_a_group_in_training_and_holdout_is_refused_unless_both_are_divided(
    paths: DatasetRuns, dataset_of: Callable[..., Dataset], split_of: Callable[..., Split]
) -> None:
    shared = dataset_of(holdout=split_of(N - 2, 12))
    with pytest.raises(DataError, match="on both sides"):
        open_folds(paths, shared, FoldWish())


def test_edited_folds_are_refused(paths: DatasetRuns, dataset: Dataset) -> None:
    ensure_folds(paths, dataset, FoldWish())
    paths.folds_csv.write_text(paths.folds_csv.read_text().replace(",0\n", ",1\n", 1))
    for act in (lambda: read_folds(paths), lambda: ensure_folds(paths, dataset, FoldWish())):
        with pytest.raises(FoldError, match="was changed after it was written"):
            act()


def test_a_changed_dataset_is_refused(paths: DatasetRuns, dataset: Dataset, split_of: Callable[..., Split]) -> None:
    ensure_folds(paths, dataset, FoldWish())
    with pytest.raises(FoldError, match="1 training images are new: '0060'"):
        ensure_folds(paths, replace(dataset, train=split_of(0, N + 1)), FoldWish())
    with pytest.raises(FoldError, match="1 images of the folds are gone: '0059'"):
        ensure_folds(paths, replace(dataset, train=split_of(0, N - 1)), FoldWish())
    with pytest.raises(FoldError, match=r"changed since .* labels, groups"):
        ensure_folds(paths, replace(dataset, class_names=("a", "c")), FoldWish())


def test_missing_and_foreign_artefacts(paths: DatasetRuns, dataset: Dataset) -> None:
    with pytest.raises(ArtefactError, match="the fold file is missing"):
        read_folds(paths)
    ensure_folds(paths, dataset, FoldWish())
    facts = json.loads(paths.folds_json.read_text())
    paths.folds_json.write_text(json.dumps({**facts, "version": 99}))
    with pytest.raises(ArtefactError, match=r"fold file of format version 99, written by a later release; .* up to 1"):
        read_folds(paths)
    renamed = DatasetRuns(paths.folder.with_name("renamed"))
    with pytest.raises(ArtefactError, match=f"holds '{paths.folder.name}': a dataset is called after its folder"):
        read_folds(renamed)
    del facts["source"]
    paths.folds_json.write_text(json.dumps(facts))
    with pytest.raises(ArtefactError, match="the entries source are missing"):
        read_folds(paths)
    paths.folds_json.unlink()
    with pytest.raises(ArtefactError, match=r"stands without folds.json.*--folds FILE"):
        ensure_folds(paths, dataset, FoldWish())


def test_too_few_groups(paths: DatasetRuns, dataset: Dataset) -> None:
    with pytest.raises(FoldError, match="only 20 groups"):
        ensure_folds(paths, dataset, FoldWish(n_folds=21))
    assert not paths.folds_csv.exists()


def test_training_rows_without_labels(paths: DatasetRuns, dataset: Dataset) -> None:
    with pytest.raises(FoldError, match="no labels"):
        ensure_folds(paths, replace(dataset, train=replace(dataset.train, labels=None)), FoldWish())


_ENSURE = """
import sys
from pathlib import Path
from ensemble.dataset import read_dataset
from ensemble.errors import FoldError
from ensemble.folds import FoldWish, ensure_folds
from ensemble.runs import DatasetRuns

data, runs, seed = sys.argv[1:]
try:
    wish = FoldWish(fold_seed=int(seed))
    print(ensure_folds(DatasetRuns(Path(runs)), read_dataset(Path(data), images=False), wish).sha256)
except FoldError:
    print("refused")
"""


def test_processes_that_start_together_agree(paths: DatasetRuns, tmp_path: Path) -> None:
    rows = "".join(f"{number:03d},{number % 2}\n" for number in range(40))
    (tmp_path / "train_labels.csv").write_text("id,a\n" + rows)
    command = [sys.executable, "-c", _ENSURE, str(tmp_path), str(paths.folder)]
    started = [subprocess.Popen([*command, seed], stdout=subprocess.PIPE, text=True) for seed in "123"]
    answers = [process.communicate()[0].strip() for process in started]
    assert answers.count("refused") == 2
    assert read_folds(paths).sha256 in answers


def test_a_preview_is_what_would_be_made_and_writes_nothing(dataset: Dataset, paths: DatasetRuns) -> None:
    divided, preview = preview_folds(paths, dataset, FoldWish(n_folds=3))
    assert not paths.folder.exists()
    assert preview.sha256 == ""
    assert divided is dataset
    _, made = open_folds(paths, dataset, FoldWish(n_folds=3))
    np.testing.assert_array_equal(preview.folds, made.folds)
    np.testing.assert_array_equal(preview.image_ids, made.image_ids)
    _, again = preview_folds(paths, dataset, FoldWish())
    assert again.sha256 == made.sha256


def test_a_preview_adds_the_holdout_where_that_is_wished(dataset: Dataset, paths: DatasetRuns) -> None:
    divided, preview = preview_folds(paths, dataset, FoldWish(holdout=False))
    assert divided.holdout is None
    assert len(preview.folds) == len(divided.train) == 75
    assert preview.holdout_in_folds


def test_a_preview_refuses_folds_that_do_not_fit(dataset: Dataset, paths: DatasetRuns) -> None:
    open_folds(paths, dataset, FoldWish(n_folds=3))
    with pytest.raises(FoldError, match="n_folds 4, but they were made with 3"):
        preview_folds(paths, dataset, FoldWish(n_folds=4))


@pytest.mark.parametrize("holdout", [None, False])
def test_a_plan_is_written_as_it_is(dataset: Dataset, paths: DatasetRuns, tmp_path: Path, holdout: bool | None) -> None:
    wish = FoldWish(n_folds=4, holdout=holdout)
    _, planned = preview_folds(paths, dataset, wish)
    divided, kept = open_folds(paths, dataset, wish, planned=planned)
    _, made = open_folds(DatasetRuns(tmp_path / "other"), dataset, wish)
    assert np.array_equal(kept.folds, planned.folds)
    assert np.array_equal(kept.image_ids, divided.train.image_ids)
    assert kept.sha256 == made.sha256


def test_another_dataset_of_the_same_folder_is_refused_by_its_content(
    dataset: Dataset, paths: DatasetRuns, split_of: Callable[..., Split]
) -> None:
    ensure_folds(paths, dataset, FoldWish())
    other = replace(dataset, train=split_of(1000, N), holdout=None, path=Path("elsewhere/demo"))
    with pytest.raises(FoldError, match=r"is of another dataset.*\(elsewhere/demo\).*name: in its dataset\.yaml"):
        ensure_folds(paths, other, FoldWish())
