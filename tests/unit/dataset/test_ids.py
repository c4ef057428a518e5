from __future__ import annotations

import numpy as np
import pytest

from ensemble.dataset import read_dataset
from ensemble.dataset.ids import IdLookup, IdRow, double_ids, is_fit, split_ending, unfit_ids
from ensemble.errors import DataError, quoted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", ("a", ".png")),
        ("p1/a.TIFF", ("p1/a", ".tiff")),
        ("a.b.jpg", ("a.b", ".jpg")),
        ("a.dcm", ("a", ".dcm")),
        ("1.5", ("1.5", "")),
        (".png", (".png", "")),
        ("p.png/a", ("p.png/a", "")),
    ],
)
def test_split_ending(name, expected):
    assert split_ending(name) == expected


@pytest.mark.parametrize(
    "image_id", ["a", "007", "NA", "p1/a.png", "a b", "ä", "...", "x:1", " a", "a" * 255, "ä" * 127 + "/" + "b" * 200]
)
def test_fit_ids(image_id):
    assert is_fit(image_id)


@pytest.mark.parametrize(
    "image_id",
    [
        "",
        "/etc/a",
        "../a",
        "p/../a",
        "..",
        ".",
        "./a",
        "a//b",
        "a/",
        "p\\a",
        "C:/a",
        "a\nb",
        "a\x7f",
        "a\x9b2J",
        "a/" + "ä" * 128,
    ],
)
def test_unfit_ids(image_id):
    assert not is_fit(image_id)
    problem = unfit_ids([IdRow("t.csv", 2, "a"), IdRow("t.csv", 3, image_id)])
    assert problem[0].startswith("t.csv: 1 of 2 ids cannot be used")
    assert f"{quoted(image_id)} (line 3)" in problem[0]


def _rows(*ids: str, table: str = "t.csv", labels: bytes | None = None) -> list[IdRow]:
    return [IdRow(table, line, image_id, labels) for line, image_id in enumerate(ids, start=2)]


def test_no_doubles():
    assert double_ids(_rows("a", "b.png", "c.png", "c.jpg", "d/a")) == []


def test_doubles_in_one_table():
    (problem,) = double_ids(_rows("a", "b", "a.png", "b", "c.png", "c.jpg", "c.png"))
    assert "t.csv: expected every image once, but 3 came more than once" in problem
    assert "'a' = 'a.png' (line 2, line 4)" in problem
    assert "'b' (line 3, line 5)" in problem
    assert "'c.png' (line 6, line 8)" in problem


def test_doubles_over_tables():
    (problem,) = double_ids([*_rows("a", "b"), *_rows("b.png", table="v.csv")])
    assert (
        "t.csv and v.csv: expected no image in more than one of them, but 1 are: 'b' = 'b.png' (t.csv line 3" in problem
    )


def test_doubles_say_whether_the_labels_agree():
    alike = [IdRow("t.csv", 2, "a", b"1"), IdRow("t.csv", 3, "a", b"1")]
    unlike = [IdRow("t.csv", 2, "a", b"1"), IdRow("t.csv", 3, "a", b"0")]
    assert "(line 2, line 3, same labels)" in double_ids(alike)[0]
    assert "(line 2, line 3, other labels)" in double_ids(unlike)[0]


@pytest.mark.parametrize("other", ["val_labels.csv", "sample_submission.csv"])
def test_an_image_on_two_sides_is_refused(make, other):
    with pytest.raises(DataError, match=f"train_labels.csv and {other}: expected no image in more than one"):
        read_dataset(make({other: "id,one,two\nb.png,0,1\n"}))


def test_lookup_with_and_without_endings():
    lookup = IdLookup(np.array(["a", "b.png", "c.png", "c.jpg"]))
    found = lookup.find_all(np.array(["a", "a.png", "b", "b.png", "b.jpg", "c", "c.jpg", "d"]))
    assert found.tolist() == [0, 0, 1, 1, -1, -1, 3, -1]
