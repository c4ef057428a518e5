"""Which files are members, how they are joined, and every refusal in its words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble.blending import TableOptions, find_copies
from ensemble.blending.foreign.folds import folds_text
from ensemble.errors import DataError, FoldError
from ensemble.files import sha256_of_bytes, sha256_of_file
from ensemble.predictions import PredictionTable, write_predictions

CLASSES = ("left", "right")
COMMON = TableOptions(only_common_rows=True)


def test_tables_are_members_named_after_their_files(tables):
    source = tables.read()
    assert (source.name, source.class_names, source.n_folds) == ("oof", CLASSES, 5)
    assert source.image_ids.tolist() == tables.ids
    np.testing.assert_array_equal(source.labels, tables.labels)
    for member in source.members:
        np.testing.assert_allclose(member.tables["oof"].probabilities(), tables.said[member.name], rtol=1e-6)
        assert member.sha256 == {"oof": sha256_of_file(tables.files.oof / f"{member.name}.csv")}
    assert [member.name for member in source.members] == ["one", "two"]
    assert source.remarks == ("2 tables do not say the scale: taken as probabilities, for all numbers lie in [0, 1]",)
    assert source.warnings == ()
    assert source.origin["labels_sha256"] == sha256_of_file(tables.files.labels)


def test_order_of_rows_and_columns_does_not_matter(tables):
    expected = tables.read()
    shuffled = np.random.default_rng(1).permutation(len(tables.ids))
    ids = [tables.ids[row] for row in shuffled]
    tables.write(tables.files.oof / "two.csv", ids, tables.said["two"][shuffled][:, ::-1], CLASSES[::-1])
    found = tables.read()
    np.testing.assert_array_equal(found.members[1].tables["oof"].values, expected.members[1].tables["oof"].values)
    assert found.members[1].tables["oof"].image_ids.tolist() == tables.ids
    tables.write(tables.files.labels, ids, tables.labels[shuffled].astype(int))
    moved = tables.read()
    assert moved.image_ids.tolist() == ids
    assert dict(zip(ids, moved.folds.tolist(), strict=True)) == dict(
        zip(tables.ids, expected.folds.tolist(), strict=True)
    )


def test_formats_and_scales_mix(tables):
    logits = np.log(tables.said["one"] / (1 - tables.said["one"]))
    ids, oof = np.array(tables.ids), tables.files.oof
    (oof / "one.csv").unlink()
    np.savez(oof / "zipped.npz", id=ids, class_names=np.array(CLASSES), logits=logits)
    pandas = {"left": logits[:, 0] * 0 + tables.said["one"][:, 0], "right": tables.said["one"][:, 1], "id": tables.ids}
    pq.write_table(pa.table(pandas), oof / "pandas.parquet")
    ours = PredictionTable(ids[::-1], CLASSES, logits[::-1].astype(np.float32), notes={"select": "best_on_fold"})
    write_predictions(oof / "ours.parquet", ours)
    source = tables.read()
    assert [member.name for member in source.members] == ["ours", "pandas", "two", "zipped"]
    for member in (source.members[0], source.members[1], source.members[3]):
        np.testing.assert_allclose(member.tables["oof"].probabilities(), tables.said["one"], rtol=1e-5)
    assert source.members[0].epoch_picked
    assert source.remarks[0].startswith("2 tables do not say the scale")


def test_the_scale_of_tables_that_do_not_say(tables):
    logits = np.log(tables.said["one"] / (1 - tables.said["one"]))
    tables.write(tables.files.oof / "one.csv", tables.ids, logits)
    with pytest.raises(DataError) as caught:
        tables.read()
    assert "oof/one.csv: expected probabilities, but" in str(caught.value)
    assert "outside [0, 1] (from " in str(caught.value)
    assert "ids '000', '001'" in str(caught.value)
    assert "hold logits, add --scale logits" in str(caught.value)
    source = tables.read(TableOptions(scale="logits"))
    np.testing.assert_allclose(source.members[0].tables["oof"].values, logits, rtol=1e-6)
    assert source.remarks == ()
    assert source.warnings == (
        "'two': taken as logits (--scale), but all its numbers lie in [0, 1], as probabilities do",
    )


def test_probabilities_near_one_stay_apart(tables):
    values = tables.said["one"].copy()
    values[:3, 0] = [1 - 1e-9, 1 - 1e-10, 1.0]
    tables.write(tables.files.oof / "one.csv", tables.ids, values)
    logits = tables.read().members[0].tables["oof"].values[:3, 0]
    np.testing.assert_allclose(logits, [20.723266, 23.025851, 88.0], rtol=1e-5)


def test_what_is_no_member_is_listed_with_the_reason(tables):
    oof = tables.files.oof
    for name in ("labels", "groups", "folds", "sample_submission"):
        (oof / f"{name}.csv").write_text("id,left,right\n")
    (oof / "notes.csv").write_text("id,comment\n000,fine\n")
    (oof / "readme.md").touch()
    (oof / "more").mkdir()
    (oof / ".hidden.csv").touch()
    groups = oof / "patients.csv"
    groups.write_text("id,group\n" + "".join(f"{image_id},{image_id}\n" for image_id in tables.ids))
    source = tables.read(groups=groups)
    assert source.skipped == {
        "folds.csv": "a file of this name is never a member",
        "groups.csv": "a file of this name is never a member",
        "labels.csv": "a file of this name is never a member",
        "sample_submission.csv": "a file of this name is never a member",
        "patients.csv": "given by --groups",
        "notes.csv": "has no column of labels.csv",
        "more, readme.md": "no .csv, .parquet, .npz file",
    }
    assert len(source.members) == 2


def test_members_can_be_named(tables):
    source = tables.read(members=("two",))
    assert [member.name for member in source.members] == ["two"]
    assert source.skipped == {"one.csv": "not named"}
    with pytest.raises(DataError, match=r"no table of a member 'tow': did you mean 'two'"):
        tables.read(members=("tow",))
    with pytest.raises(DataError, match=r"no table of a member 'x': there are 'one', 'two'"):
        tables.read(members=("x",))
    with pytest.raises(DataError, match=r"members named more than once: 'two'"):
        tables.read(members=("two", "two"))


def spoiled(tables, *, ids=None, values=None, names=CLASSES) -> str:
    """The message when member ``one`` is so."""
    ids = tables.ids if ids is None else ids
    values = tables.said["one"][: len(ids)] if values is None else values
    tables.write(tables.files.oof / "one.csv", ids, values, names)
    with pytest.raises(DataError) as caught:
        tables.read()
    return str(caught.value)


def test_rows_that_do_not_meet_are_refused(tables):
    message = spoiled(tables, ids=tables.ids[:-3])
    assert "oof/one.csv: 3 of the 40 ids of labels.csv missing: '037', '038', '039'. Mend the rows, or" in message
    assert "or take those that all have: --only-common-rows" in message
    more = [*tables.ids[:-1], "x"]
    assert "1 of the 40 ids of labels.csv missing: '039'; 1 id not in labels.csv: 'x'" in spoiled(tables, ids=more)
    assert "oof/one.csv: 1 id more than once: '000'" in spoiled(tables, ids=[*tables.ids[:-1], "000"])
    assert "oof/one.csv: 1 rows have no id, the first is row 40" in spoiled(tables, ids=[*tables.ids[:-1], ""])
    assert "there are no rows" in spoiled(tables, ids=[], values=np.empty((0, 2)))


def test_ids_that_differ_by_spelling_are_explained(tables):
    for change, words in (
        (lambda text: str(int(text)), "zeros in front, which spreadsheets and pandas drop"),
        (lambda text: f"{text}.png", "file endings"),
        (lambda text: f" {text}", "spaces around them"),
        (lambda text: f"images/{text}", "folders in front"),
    ):
        assert f"They differ by {words}" in spoiled(tables, ids=[change(text) for text in tables.ids])


def test_columns_that_do_not_meet_are_refused(tables):
    said = tables.said["one"]
    assert ("oof/one.csv: 1 column of labels.csv missing: 'right' (are these meant: 'Right ' for 'right'?").replace(
        "'Right '", "'Right'"
    ) in spoiled(tables, names=("left", "Right "))
    assert "1 column of labels.csv missing: 'right'" in spoiled(tables, values=said[:, :1], names=("left",))
    assert "2 columns of labels.csv missing: 'left', 'right' (are these meant: 'LEFT' for 'left'" in spoiled(
        tables, names=("LEFT", "RIGHT")
    )
    wide = np.concatenate([said, said[:, :1]], axis=1)
    assert "1 column not in labels.csv: 'up'. Take them out, or" in spoiled(tables, values=wide, names=(*CLASSES, "up"))
    source = tables.read(TableOptions(ignore_extra_columns=True))
    np.testing.assert_allclose(source.members[0].tables["oof"].probabilities(), said, rtol=1e-6)


def test_a_fold_column_is_no_class(tables):
    with_fold = np.concatenate([tables.said["one"], np.zeros((40, 1))], axis=1)
    tables.write(tables.files.oof / "one.csv", tables.ids, with_fold, (*CLASSES, "fold"))
    assert len(tables.read().members) == 2


def test_numbers_that_are_none_are_refused(tables):
    values = tables.said["one"].copy()
    values[[3, 5], 1] = np.nan
    values[7, 1] = np.inf
    message = spoiled(tables, values=values)
    assert "oof/one.csv: expected a number in every field, but 3 are empty, NaN or infinite: columns 'right'" in message
    assert "ids '003', '005', '007'" in message


def test_answers_are_no_predictions(tables):
    values = tables.said["one"].copy()
    values[:, 1] = tables.labels[:, 1]
    assert "oof/one.csv: column equals the label column of that name: 'right'. Answers" in spoiled(
        tables, values=values
    )
    labels = tables.labels.copy()
    labels[::3, 1] = np.nan
    tables.write(tables.files.labels, tables.ids, labels)
    values[::3, 1] = tables.said["one"][::3, 1]
    tables.write(tables.files.oof / "one.csv", tables.ids, values)
    with pytest.raises(DataError, match=r"column equals the label column of that name: 'right'"):
        tables.read()
    labels[:, 1] = 0
    tables.write(tables.files.labels, tables.ids, labels)
    values[:, 1] = 0
    tables.write(tables.files.oof / "one.csv", tables.ids, values)
    assert tables.read().warnings == ("'one' says the same of every row in 'right'",)


def test_labels_in_another_spelling_are_pointed_out(tables):
    values = 0.1 + 0.8 * tables.labels
    tables.write(tables.files.oof / "one.csv", tables.ids, values)
    assert tables.read().warnings == (
        "'one' knows two numbers in 'left', 'right', and they are the labels exactly: answers, not predictions?",
    )


def test_copies_are_found_whatever_their_format(tables):
    np.savez(
        tables.files.oof / "three.npz",
        id=np.array(tables.ids)[::-1],
        class_names=np.array(CLASSES),
        probabilities=tables.said["one"][::-1],
    )
    (copy,) = find_copies(tables.read().tables("oof"))
    assert (copy.first, copy.second, copy.whole) == ("one", "three", True)


def test_all_problems_of_all_files_come_together(tables):
    tables.write(tables.files.oof / "one.csv", tables.ids[1:], tables.said["one"][1:] + 1)
    tables.write(tables.files.oof / "two.csv", tables.ids, tables.said["two"], ("left", "up"))
    np.savez(tables.files.oof / "one.npz", id=np.array(tables.ids))
    (tables.files.oof / "three.parquet").write_text("no table")
    groups = tables.pairs("groups.csv", "group", [""] + ["p"] * 39)
    folds = tables.pairs("folds.csv", "fold", ["a"] * 40)
    with pytest.raises(DataError) as caught:
        tables.read(groups=groups, folds=folds, test=tables.files.labels.parent / "test")
    message = str(caught.value)
    for words in (
        "cannot be blended, 8 problems:",
        "one.csv and one.npz would be one member 'one'",
        "three.parquet: expected a Parquet table",
        "oof/two.csv: 1 column of labels.csv missing: 'right'",
        "oof/one.csv: 1 of the 40 ids",
        "values are outside [0, 1]",
        "1 labelled id with an empty group: '000'",
        "folds.csv cannot be used as folds",
        "no table of 1 member: 'three'",
    ):
        assert words in message


def test_only_common_rows(tables):
    tables.write(tables.files.oof / "one.csv", [*tables.ids[2:], "x"], np.full((39, 2), 0.5) + np.eye(39, 2) / 9)
    tables.write(tables.files.oof / "two.csv", tables.ids[:-1], tables.said["two"][:-1])
    groups = tables.pairs("groups.csv", "group", [f"p{number // 2}" for number in range(40)])
    source = tables.read(COMMON, groups=groups)
    assert source.image_ids.tolist() == tables.ids[2:-1]
    np.testing.assert_array_equal(source.labels, tables.labels[2:-1])
    np.testing.assert_allclose(source.members[1].tables["oof"].probabilities(), tables.said["two"][2:-1], rtol=1e-6)
    assert source.groups is not None
    assert source.groups.tolist() == [f"p{number // 2}" for number in range(2, 39)]
    assert len(source.folds) == 37
    assert source.remarks[1:] == (
        "3 of the 40 rows of labels.csv left out, for not all tables have them (one lacks 2, two lacks 1)",
        "rows that are not in labels.csv left aside (one has 1)",
    )
    tables.write(tables.files.oof / "one.csv", tables.ids[-1:], np.array([[0.2, 0.3]]))
    with pytest.raises(DataError, match=r"no row of labels.csv is in all of 'one', 'two'"):
        tables.read(COMMON)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,left\n000,2\n001,x\n", "class 'left': expected 0 or 1 .*line 2: '2', line 3: 'x'"),
        (
            "id,left\n000,2\n001,0.5\n",
            r"class 'left': expected 0 or 1 \(empty: not labelled\), got line 2: '2', line 3",
        ),
        ("id,left\n000,1\n000,1\n", "1 id more than once: '000'"),
        ("id,left\n,1\n", "1 rows have no id"),
        ("id,left\n000,\n", "expected 0 or 1 in some field, but all are empty"),
        ("id,left\n", "there are no rows"),
        ("id\n000\n", "got one column"),
        ("id,left,fold\n000,1,0\n", "a class cannot be called 'fold'"),
    ],
)
def test_labels_that_are_wrong_are_refused(tables, text, message):
    tables.files.labels.write_text(text)
    with pytest.raises(DataError, match=message):
        tables.read()


def test_labels_are_csv(tables):
    with pytest.raises(DataError, match=r"expected the labels as CSV"):
        tables.read(labels=Path("labels.npz"))


def test_a_class_may_be_unlabelled(tables):
    labels = tables.labels.copy()
    labels[:10, 0] = np.nan
    tables.write(tables.files.labels, tables.ids, labels)
    np.testing.assert_array_equal(tables.read().labels, labels)
    text = tables.files.labels.read_text().replace("nan", "")
    tables.files.labels.write_text(text)
    np.testing.assert_array_equal(tables.read().labels, labels)


def test_groups_are_never_split(tables):
    groups = [f"p{number // 4}" for number in range(40)]
    source = tables.read(groups=tables.pairs("groups.csv", "group", groups))
    assert source.groups is not None
    assert (source.groups.tolist(), source.groups_source) == (groups, "groups.csv")
    assert len({(group, fold) for group, fold in zip(groups, source.folds.tolist(), strict=True)}) == 10
    again = tables.read(groups=tables.pairs("groups.csv", "patient", groups))
    np.testing.assert_array_equal(again.folds, source.folds)


def test_groups_that_are_wrong_are_refused(tables):
    with pytest.raises(DataError, match=r"1 labelled id without a group: '039'. An image on its own"):
        tables.read(groups=tables.pairs("g.csv", "group", ["p"] * 39, tables.ids[:-1]))
    with pytest.raises(DataError, match=r"1 id in two groups: '000'"):
        tables.read(groups=tables.pairs("g.csv", "group", [*["p"] * 40, "q"], [*tables.ids, "000"]))
    (tables.files.oof.parent / "wide.csv").write_text("id,a,b\n")
    with pytest.raises(DataError, match=r"expected the columns id,group, got 'id', 'a', 'b'"):
        tables.read(groups=tables.files.oof.parent / "wide.csv")
    few = tables.pairs("g.csv", "group", ["p", "q", "r", "s"] * 10)
    with pytest.raises(FoldError, match=r"there are only 4 groups: choose at most 4 folds"):
        tables.read(groups=few)
    assert tables.read(TableOptions(n_folds=4), groups=few).n_folds == 4


def test_made_folds_follow_the_seed_and_can_be_given_back(tables):
    first, again, other = tables.read(), tables.read(), tables.read(TableOptions(seed=1))
    np.testing.assert_array_equal(first.folds, again.folds)
    assert first.origin == again.origin
    assert not np.array_equal(first.folds, other.folds)
    text = folds_text(first.image_ids, first.groups, first.folds)
    assert text.startswith("id,fold\n000,")
    assert first.origin["folds_sha256"] == sha256_of_bytes(text.encode())
    path = tables.files.oof.parent / "folds.csv"
    path.write_text(text)
    given = tables.read(folds=path)
    np.testing.assert_array_equal(given.folds, first.folds)
    assert given.origin == first.origin


def test_given_folds(tables):
    groups = [f"p{number // 4}" for number in range(40)]
    folds = [int(group[1:]) % 3 for group in groups]
    path = tables.pairs("f.csv", "group,fold", [f"{g},{f}" for g, f in zip(groups, folds, strict=True)])
    source = tables.read(folds=path)
    assert source.groups is not None
    assert source.folds.tolist() == folds
    assert (source.groups.tolist(), source.groups_source) == (groups, "column 'group' of f.csv")
    nobody = tables.pairs("n.csv", "group,fold", [f",{fold}" for fold in folds])
    assert tables.read(folds=nobody).groups is None
    with pytest.raises(DataError, match=r"1 of the dataset's groups are in more than one fold: 'p0'"):
        tables.read(folds=tables.pairs("f.csv", "fold", [1, *folds[1:]]), groups=tables.pairs("g.csv", "group", groups))
    with pytest.raises(DataError, match=r"the folds come from f.csv: leave --n-folds out"):
        tables.read(TableOptions(n_folds=4), folds=tables.pairs("f.csv", "fold", folds))


def test_folders_that_are_none_are_refused(tables):
    with pytest.raises(DataError, match=r"--oof .*: expected a folder of tables, but there is no such folder"):
        tables.read(oof=Path("nowhere"))
    with pytest.raises(DataError, match=r"--test .*: expected a folder of tables, but this is a file"):
        tables.read(test=tables.files.labels)
    empty = tables.files.oof.parent / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"expected a table with an id and the columns 'left', 'right', found nothing"):
        tables.read(oof=empty)
