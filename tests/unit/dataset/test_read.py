from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ensemble.dataset import read_dataset
from ensemble.errors import DataError


def test_a_dataset_is_read_without_configuration(make):
    dataset = read_dataset(make())
    assert dataset.name == "set"
    assert dataset.class_names == ("one", "two")
    assert dataset.train.image_ids.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(dataset.train.labels, [[1, 0], [0, 1], [0, 0]])
    assert dataset.train.labels.dtype == np.float64
    assert dataset.train.image_files.tolist() == ["images/a.png", "images/b.png", "images/c.png"]
    assert dataset.holdout.image_ids.tolist() == ["d"]
    assert dataset.test.image_ids.tolist() == ["e", "f"]
    assert dataset.test.labels is None
    assert dataset.template == dataset.path / "sample_submission.csv"
    assert dataset.groups_source == "no groups: every image counted as independent"
    assert dataset.unused_tables == ()
    assert (dataset.n_folds, dataset.fold_seed, dataset.holdout_wanted) == (None, None, None)


def test_training_labels_alone_are_enough(make):
    dataset = read_dataset(make({"val_labels.csv": None, "sample_submission.csv": None}))
    assert dataset.holdout is None
    assert dataset.test is None
    assert dataset.template is None


def test_only_tables_are_read_where_images_are_not_wanted(make):
    dataset = read_dataset(make(images=()), images=False)
    assert dataset.train.image_files.shape == (0,)
    assert len(dataset.train) == 3


def test_label_columns_of_the_holdout_are_matched_by_name(make):
    dataset = read_dataset(make({"val_labels.csv": "id,two,one\nd,1,0\n"}))
    np.testing.assert_array_equal(dataset.holdout.labels, [[0, 1]])


def test_floats_and_empty_labels(make):
    dataset = read_dataset(make({"train_labels.csv": "id,one,two\na,1.0, 0\nb,,NaN\nc,0,1\n"}))
    np.testing.assert_array_equal(dataset.train.labels, [[1, 0], [np.nan, np.nan], [0, 1]])


def test_minus_one_and_words_mean_not_labelled_only_where_dataset_yaml_says_so(make):
    labels = "id,one,two\na,-1,0\nb,-1.0,1\nc,0,unknown\n"
    for stated in ("[-1, unknown]", "\n- unknown\n- -1.0"):
        folder = make({"train_labels.csv": labels, "dataset.yaml": f"not_labelled: {stated}\n"})
        np.testing.assert_array_equal(read_dataset(folder).train.labels, [[np.nan, 0], [np.nan, 1], [0, np.nan]])
    with pytest.raises(DataError, match=r"'unknown'.*not_labelled"):
        read_dataset(make({"train_labels.csv": labels, "dataset.yaml": "not_labelled: -1\n"}))


def test_pandas_truth_values_are_labels(make):
    folder = make({"train_labels.csv": "id,one,two\na,True, 1\nb,FALSE,1.0\nc,false,-0\n"})
    assert read_dataset(folder).train.labels.tolist() == [[1, 1], [0, 1], [0, 0]]


def test_ids_are_in_the_column_of_that_name_wherever_it_stands(make):
    folder = make({"train_labels.csv": "one,image_id,two\n1,a,0\n0,b,1\n0,c,0\n"})
    data = read_dataset(folder)
    assert (data.train.image_ids.tolist(), data.class_names) == (["a", "b", "c"], ("one", "two"))


def test_dataset_yaml_names_what_differs(make):
    folder = make(
        {
            "train_labels.csv": None,
            "tables.csv": "patient,scan,one,two,age\np1,a,1,0,60\np2,b,0,1,61\n",
            "dataset.yaml": "name: mine\ntrain_labels: tables.csv\nid_column: scan\ngroup_column: patient\n"
            "class_names: [two, one]\nn_folds: 3\nfold_seed: 7\nholdout: false\nimages: images\n",
            "val_labels.csv": "patient,scan,one,two\np1,d,1,0\n",
        }
    )
    dataset = read_dataset(folder)
    assert dataset.name == "mine"
    assert dataset.class_names == ("two", "one")
    np.testing.assert_array_equal(dataset.train.labels, [[0, 1], [1, 0]])
    assert dataset.train.groups.tolist() == ["p1", "p2"]
    assert dataset.groups_source == "column 'patient' of tables.csv + val_labels.csv"
    assert (dataset.n_folds, dataset.fold_seed, dataset.holdout_wanted) == (3, 7, False)


def test_tables_that_hold_ids_and_were_not_read_are_named(make):
    folder = make(
        {
            "findings.csv": "name;x\nq;1\na.png;2\n",
            "notes.csv": "what,when\nnothing,never\n",
            "valid.csv": "id,one\ng,1\n",
        },
        images=[*(f"images/{name}.png" for name in "abcdef"), "images/g.png"],
    )
    dataset = read_dataset(folder)
    assert dataset.unused_tables == ("findings.csv", "valid.csv")
    assert dataset.describe_unused()[0] == "findings.csv: it holds ids, but has no name that is read"


def test_true_probabilities_are_aligned_with_the_training_rows(make):
    text = "id,two,one\nc.png,0.1,0.2\na.png,0.3,0.4\nb.png,0.5,0.6\nd,0,1\n"
    dataset = read_dataset(make({"true_probabilities.csv": text}))
    np.testing.assert_array_equal(dataset.true_probabilities, [[0.4, 0.3], [0.6, 0.5], [0.2, 0.1]])
    assert dataset.unused_tables == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,one,two\na,0,0\n", r"true_probabilities.csv: 2 images \('b', 'c'\) of the train rows are missing"),
        ("id,one,two\na,0,2\nb,0,0\nc,0,0\n", "expected probabilities from 0 to 1"),
        ("id,one\na,0\nb,0\nc,0\n", "'two' are missing"),
    ],
)
def test_true_probabilities_that_do_not_fit(make, text, message):
    with pytest.raises(DataError, match=message):
        read_dataset(make({"true_probabilities.csv": text}))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"train_labels.csv": "id,one,two\na,1,0\nb,2,yes\nc,0.5,0\n"},
            r"train_labels.csv, class 'one': expected 0 or 1 \(empty: not labelled\), got line 3: '2', line 4: '0.5'",
        ),
        ({"train_labels.csv": "id,one,two\na,1,0\nb,0,yes\n"}, "class 'two': .*line 3: 'yes'"),
        ({"train_labels.csv": "id,age\na,60\nb,61\n"}, "If the column is no class, name the classes"),
        (
            {"train_labels.csv": "id,group,one,two\na,0,1,0\n"},
            r"cannot be called 'group'. Rename the column, or say in dataset.yaml what it is: id_column, group_column",
        ),
        ({"dataset.yaml": "class_names: [fold]\n"}, "a class cannot be called 'fold'"),
        ({"train_labels.csv": "id\na\n"}, "expected a column for every class, got only 'id'"),
        ({"train_labels.csv": "id,one,two\n"}, "expected a row for every image, got a header alone"),
        (
            {"val_labels.csv": "id,one\nd,1\n"},
            "val_labels.csv: expected the training table's classes .*'two' are missing",
        ),
        (
            {"train_labels.csv": "Unnamed: 0,id,one,two\n0,a,1,0\n1,b,0,1\n2,c,0,0\n"},
            r"dataset: train_labels.csv: the column 'Unnamed: 0' is no class, but an index that pandas has written",
        ),
        ({"val_labels.csv": "id,one,two,six\nd,1,1,1\n"}, "the columns 'six' are not among"),
        ({"sample_submission.csv": "id,class\ne,0\n"}, "sample_submission.csv: expected the training table's classes"),
        (
            {"dataset.yaml": "class_names: [one]\n"},
            r"sample_submission.csv: the columns 'two' are not among class_names .* \(template: FILE\)",
        ),
        ({"dataset.yaml": "class_names: [one, ten]\n"}, "dataset.yaml names the classes 'ten', but"),
        ({"dataset.yaml": "id_column: scan\n"}, "dataset.yaml names the id_column 'scan', which is not there"),
        ({"dataset.yaml": "group_column: who\n"}, "names the group_column 'who', but the columns are"),
    ],
)
def test_tables_that_cannot_be_used(make, tables, message):
    with pytest.raises(DataError, match=message):
        read_dataset(make(tables))


def test_all_problems_of_all_files_come_together(make):
    folder = make(
        {
            "train_labels.csv": "id,one,two\na,1,0\n../../x,0,1\nc,0,3\nc,0,0\n",
            "val_labels.csv": "id,one,two\na.png,1,1,1\n",
            "sample_submission.csv": "id,one,two\nzz,0,0\n",
        }
    )
    with pytest.raises(DataError) as caught:
        read_dataset(folder)
    text = str(caught.value)
    assert "cannot be used as a dataset, 5 problems" in text
    for part in ("'../../x' (line 3)", "line 4: '3'", "'c' (line 4, line 5", "line 2 has 4", "'zz'"):
        assert part in text


def test_reading_a_dataset_needs_neither_torch_nor_cv2():
    code = (
        "import sys, ensemble.dataset, ensemble.submission; "
        "sys.exit(sorted({'torch', 'timm', 'cv2', 'albumentations', 'pandas', 'ruamel.yaml'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"train_labels.csv": "id,one,two\na,,\nb,,NaN\n"}, "train_labels.csv: expected 0 or 1 in some field"),
        ({"train_labels.csv": "id\na\n", "true_probabilities.csv": "id\na\n"}, "a column for every class"),
        ({"train_labels.csv": "id,one,two\na,1,2\nb,0,1\nc,0,0\n"}, "got line 2: '2'. Correct the file"),
        ({"train_labels.csv": "id,one,two\na,-1,0\nb,-1.0,1\nc,0,0\n"}, r"as CheXpert's .* \(not_labelled: \[-1\]\)"),
        ({"train_labels.csv": "id,one,two\na,None,0\nb,?,1\nc,0,0\n"}, r'not_labelled: \["None", "\?"\]'),
        ({"train_labels.csv": "id,one,two\na,Yes,0\nb,no,1\nc,0,0\n"}, "Write 1 and 0 for them"),
        ({"train_labels.csv": "id,one,two\na,0.3,0\nb,0,1\nc,0,0\n"}, "look like probabilities"),
        ({"train_labels.csv": "id;one;two\na;1,0;0\nb;0;1\nc;0;0\n"}, "Write decimals with a point"),
        ({"train_labels.csv": "id,one\na,one two\nb,two\nc,\n"}, r"a list of labels in one column.*get_dummies\(' '\)"),
        (
            {"train_labels.csv": "id,one\na,one|two\nb,two\nc,\n"},
            r"a list of labels in one.*get_dummies\('\|'\)",
        ),
        ({"val_labels.csv": "id,one\nd,1\n"}, r"it has 'id', 'one'\. Add or rename"),
    ],
)
def test_labels_that_cannot_be_used(make, tables, message):
    with pytest.raises(DataError, match=message):
        read_dataset(make(tables))


def test_true_probabilities_are_not_complained_of_beside_the_rows_that_they_belong_to(make):
    tables = {"train_labels.csv": "id,one,two\n../x,1,0\n", "true_probabilities.csv": "id,one,two\na,0.5,0.5\n"}
    with pytest.raises(DataError) as caught:
        read_dataset(make(tables))
    assert "true_probabilities.csv" not in str(caught.value)


@pytest.mark.parametrize("line", ["a,1", "a.png,0", '"a.png",1.0'])
def test_a_row_in_the_place_of_a_header_is_told(make, line):
    tables = {"train_labels.csv": f"{line}\nb,0\nc,1\n", "val_labels.csv": None, "sample_submission.csv": None}
    with pytest.raises(
        DataError, match=r"train_labels\.csv, line 1: expected a header .*there is an image images/a\.png"
    ):
        read_dataset(make(tables))


def test_classes_that_are_called_0_and_1_are_fine_where_the_id_is_no_image(make):
    tables = {"train_labels.csv": "id,0,1\nb,0,1\nc,1,0\n", "val_labels.csv": None, "sample_submission.csv": None}
    assert read_dataset(make(tables)).class_names == ("0", "1")
