from __future__ import annotations

import pytest

from ensemble.dataset import check_holdout_groups, read_dataset, with_holdout_in_folds
from ensemble.errors import DataError

ALL = "id,group\na,p1\nb,p2\nc,p2\nd,p3\ne,p4\nf,p4\n"


def test_one_table_for_all_splits(make):
    dataset = read_dataset(make({"groups.csv": ALL}))
    assert dataset.train.groups.tolist() == ["p1", "p2", "p2"]
    assert dataset.holdout.groups.tolist() == ["p3"]
    assert dataset.test.groups.tolist() == ["p4", "p4"]
    assert dataset.groups_source == "groups.csv"


def test_a_table_a_split_with_endings_of_their_own(make):
    tables = {"train_groups.csv": "id,group\nb.png,2\na.png,1\nc,2\nzz,9\n", "val_groups.csv": "image,who\nd,3\n"}
    dataset = read_dataset(make(tables))
    assert dataset.train.groups.tolist() == ["1", "2", "2"]
    assert dataset.test.groups is None
    assert dataset.groups_source == "train_groups.csv + val_groups.csv"
    assert dataset.unused_tables == ()


def test_one_table_comes_before_one_a_split_and_the_others_are_named(make):
    dataset = read_dataset(make({"groups.csv": ALL, "train_groups.csv": "id,group\na,x\n"}))
    assert dataset.train.groups.tolist() == ["p1", "p2", "p2"]
    assert dataset.unused_tables == ("train_groups.csv",)
    assert dataset.describe_unused() == ["train_groups.csv: the groups come from groups.csv"]


def test_tables_that_dataset_yaml_names(make):
    tables = {"dataset.yaml": "groups: [mine.csv]\n", "mine.csv": "id,site,group\na,s,1\nb,s,2\nc,s,3\nd,s,4\n"}
    dataset = read_dataset(make(tables))
    assert dataset.train.groups.tolist() == ["1", "2", "3"]
    assert dataset.groups_source == "mine.csv"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"train_groups.csv": "id,group\na,1\nb,2\nc,3\n"},
            r"1 image \('d'\) of the holdout rows .* Add them to train_groups.csv",
        ),
        ({"groups.csv": "id,group\na,1\nb, \nd,3\n"}, r"2 images \('b', 'c'\) of the train rows have no group"),
        ({"groups.csv": ALL.replace("e,p4\n", "")}, r"1 image \('e'\) of the test rows have no group"),
        (
            {"groups.csv": ALL + "a,p9\n"},
            r"groups.csv: expected one group an image, but 1 image has more: 'a' \(groups.csv line 2: 'p\d', ",
        ),
        (
            {"groups.csv": ALL + "b.png,p9\n"},
            r"1 image has more: 'b' \(groups.csv line 3: 'p\d', groups.csv line \d: 'p9'\). Keep one row each",
        ),
        ({"groups.csv": "id,x,y\na,1,1\n"}, "groups.csv: expected the columns id,group, got 'id', 'x', 'y'"),
        ({"groups.csv": "id\na\n"}, "expected the columns id,group, got 'id'"),
        (
            {
                "dataset.yaml": "group_column: who\n",
                "train_labels.csv": "id,who,one,two\na,,1,0\nb,2,0,1\n",
                "val_labels.csv": "id,who,one,two\nd,2,0,1\n",
            },
            r"train_labels.csv, column 'who': no group on 1 lines \('2'\)",
        ),
    ],
)
def test_groups_that_cannot_be_used(make, tables, message):
    with pytest.raises(DataError, match=message):
        read_dataset(make(tables))


def test_a_group_twice_for_one_image_is_fine_if_it_is_the_same(make):
    assert read_dataset(make({"groups.csv": ALL + "a,p1\n"})).train.groups[0] == "p1"


def test_a_group_on_both_sides_is_refused_unless_the_holdout_joins_the_folds(make):
    dataset = read_dataset(make({"groups.csv": ALL.replace("d,p3", "d,p2")}))
    with pytest.raises(DataError, match="1 groups are on both sides of training and holdout: 'p2', with 2 training"):
        check_holdout_groups(dataset)
    joined = with_holdout_in_folds(dataset)
    check_holdout_groups(joined)
    assert joined.train.groups.tolist() == ["p1", "p2", "p2", "p2"]


def test_groups_on_one_side_are_fine(make):
    check_holdout_groups(read_dataset(make({"groups.csv": ALL})))
    check_holdout_groups(read_dataset(make()))
