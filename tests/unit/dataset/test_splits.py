from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ensemble.dataset import Split, read_dataset, with_holdout_in_folds
from ensemble.errors import DataError


def test_the_hash_is_of_the_content_and_not_of_the_place(make, tmp_path):
    folder = make()
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "dataset.yaml").write_text("name: other\nn_folds: 4\n")
    copy = read_dataset(tmp_path / "copy", images=False)
    assert copy.name == "other"
    assert copy.content_hash == read_dataset(folder).content_hash
    assert len(copy.content_hash) == 64


@pytest.mark.parametrize(
    "tables",
    [
        {"train_labels.csv": "id,one,two\na,1,0\nb,0,1\nc,0,1\n"},
        {"train_labels.csv": "id,one,two\na,1,0\nb,0,1\nc,0,\n"},
        {"train_labels.csv": "id,two,one\na,1,0\nb,0,1\nc,0,0\n"},
        {"val_labels.csv": None},
        {"sample_submission.csv": "id,one,two\ne,0,0\n"},
        {"groups.csv": "id,group\na,1\nb,2\nc,3\nd,4\n"},
    ],
)
def test_the_hash_changes_with_labels_classes_splits_and_groups(make, tables):
    before = read_dataset(make()).content_hash
    folder = make(tables)
    for name, text in tables.items():
        if text is None:
            (folder / name).unlink()
    assert read_dataset(folder).content_hash != before


def test_the_holdout_joins_the_training_rows(make):
    dataset = read_dataset(make({"true_probabilities.csv": "id,one,two\na,0,0\nb,0,0\nc,0,0\n"}))
    joined = with_holdout_in_folds(dataset)
    assert joined.holdout is None
    assert joined.train.image_ids.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(joined.train.labels[3], [1, 1])
    assert joined.train.image_files[3] == "images/d.png"
    assert joined.train.groups is None
    assert joined.true_probabilities is None
    assert with_holdout_in_folds(joined) is joined


def test_rows_without_labels_cannot_join(make):
    dataset = read_dataset(make())
    with pytest.raises(DataError, match="only if they have labels"):
        with_holdout_in_folds(replace(dataset, holdout=dataset.test))


def test_arrays_of_another_length_are_refused():
    ids = np.array(["a", "b"])
    with pytest.raises(DataError, match=r"a split of 2 images .*'labels': 1"):
        Split(ids, np.zeros((1, 1)), None, np.array([], dtype=np.str_))
    with pytest.raises(DataError, match="image_files"):
        Split(ids, None, None, np.array(["a.png"]))
