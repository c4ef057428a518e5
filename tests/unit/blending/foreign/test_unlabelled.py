"""The tables of the test rows."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.blending import TableOptions
from ensemble.errors import DataError

IDS = [f"t{number}" for number in range(6)]


@pytest.fixture
def test_folder(tables):
    return tables.files.oof.parent / "test"


def test_a_table_of_the_same_name_in_any_format(tables, test_folder):
    said = np.random.default_rng(5).random((6, 2))
    (test_folder / "two.csv").unlink()
    np.savez(
        test_folder / "two.npz",
        id=np.array(IDS[::-1]),
        class_names=np.array(["right", "left"]),
        probabilities=said[::-1, ::-1],
    )
    tables.write(test_folder / "three.csv", IDS, said)
    source = tables.read(test=test_folder)
    test = source.members[1].tables["test"]
    assert test.image_ids.tolist() == IDS
    np.testing.assert_allclose(test.probabilities(), said, rtol=1e-6)
    assert set(source.members[1].sha256) == {"oof", "test"}
    assert source.skipped == {"test/three.csv": "no member of this name"}


def test_members_without_a_test_table_are_named(tables, test_folder):
    (test_folder / "two.csv").unlink()
    with pytest.raises(
        DataError, match=r"test: no table of 1 member: 'two'. Its table of the test rows has the member's"
    ):
        tables.read(test=test_folder)


def test_test_tables_that_do_not_fit_are_refused_by_folder_and_name(tables, test_folder):
    tables.write(test_folder / "two.csv", ["u0", *IDS[1:]], np.full((6, 2), 0.5))
    with pytest.raises(DataError, match=r"test/two.csv: 1 of the 6 ids of test/one.csv missing: 't0'; 1 id not in"):
        tables.read(test=test_folder)
    source = tables.read(TableOptions(only_common_rows=True), test=test_folder)
    assert source.members[0].tables["test"].image_ids.tolist() == IDS[1:]
    (test_folder / "two.csv").write_text("id,other\nt0,1\n")
    with pytest.raises(DataError, match=r"test/two.csv: has no column of labels.csv"):
        tables.read(test=test_folder)
    tables.write(test_folder / "two.csv", IDS, np.full((6, 2), 3.0))
    with pytest.raises(DataError, match=r"test/two.csv: expected probabilities, but 12 values"):
        tables.read(test=test_folder)
    with pytest.raises(DataError, match=r"expected another folder than --oof"):
        tables.read(test=tables.files.oof)


def test_probabilities_among_the_test_rows_of_logits_are_warned_of(tables):
    for name, said in tables.said.items():
        tables.write(tables.files.oof / f"{name}.csv", tables.ids, np.log(said / (1 - said)))
    tables.write(tables.files.oof.parent / "test" / "one.csv", IDS, np.linspace(-3, 3, 12).reshape(6, 2))
    source = tables.read(TableOptions(scale="logits"), test=tables.files.oof.parent / "test")
    assert source.warnings == (
        "'two': taken as logits (--scale), but all its numbers of the test rows lie in [0, 1], as probabilities do",
    )


def test_the_template_says_which_rows(tables, test_folder):
    template = tables.write(tables.files.oof.parent / "sample.csv", IDS[:1:-1], np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"test/one.csv: 2 ids not in sample.csv: 't0', 't1'"):
        tables.read(test=test_folder, template=template)
    common = TableOptions(only_common_rows=True)
    source = tables.read(common, test=test_folder, template=template)
    assert source.members[0].tables["test"].image_ids.tolist() == IDS[:1:-1]
    assert "rows that are not in sample.csv left aside (one has 2, two has 2)" in source.remarks
    tables.write(template, [*IDS, "t6"], np.zeros((7, 2)))
    with pytest.raises(DataError, match=r"1 of the 7 ids of sample.csv missing: 't6'. Mend the rows"):
        tables.read(common, test=test_folder, template=template)
    tables.write(template, IDS, np.zeros((6, 2)), ("left", "up"))
    with pytest.raises(DataError, match=r"expected the classes of labels.csv, 'left', 'right', got 'left', 'up'"):
        tables.read(test=test_folder, template=template)


def test_groups_of_test_rows(tables, test_folder):
    every = tables.ids + IDS
    groups = tables.pairs("g.csv", "group", [f"p{number // 4}" for number in range(46)], every)
    source = tables.read(test=test_folder, groups=groups)
    assert source.test_groups is not None
    assert source.test_groups.tolist() == ["p10"] * 4 + ["p11"] * 2
    some = tables.pairs("g.csv", "group", [f"p{number // 4}" for number in range(40)])
    assert tables.read(test=test_folder, groups=some).test_groups is None
    of_test = tables.pairs("t.csv", "group", ["q"] * 5, IDS[1:])
    with pytest.raises(DataError, match=r"1 test id without a group: 't0'"):
        tables.read(test=test_folder, test_groups=of_test)
    of_test = tables.pairs("t.csv", "group", ["q"] * 6, IDS)
    found = tables.read(test=test_folder, test_groups=of_test).test_groups
    assert found is not None
    assert found.tolist() == ["q"] * 6
