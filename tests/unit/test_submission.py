from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ensemble.errors import ArtefactError, DataError
from ensemble.submission import read_template, verify_submission, write_submission

IDS = np.array(["b", "007", "NA"])
CLASSES = ("one", "two")
DECISIONS = np.array([[True, False], [False, True], [True, True]])


@pytest.fixture
def template(tmp_path):
    def _template(content: str):
        path = tmp_path / "sample_submission.csv"
        path.write_bytes(content.encode())
        return read_template(path)

    return _template


def _written(tmp_path: Path, template) -> str:
    path = tmp_path / "out" / "blend.csv"
    write_submission(path, template, IDS, CLASSES, DECISIONS)
    return path.read_bytes().decode()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", [0, 1, 2])
def test_form_of_the_template_is_kept(tmp_path, template, separator, newline, tail):
    rows = ["id,one,two", "007,0,0", "b,0,0", "NA,0,0"]
    content = newline.join(rows).replace(",", separator) + newline * tail
    expected = newline.join(["id,one,two", "007,0,1", "b,1,0", "NA,1,1"]).replace(",", separator) + newline * tail
    assert _written(tmp_path, template(content)) == expected


def test_columns_are_matched_by_name(tmp_path, template):
    assert _written(tmp_path, template("id,two,one\nb,0,0\n")) == "id,two,one\nb,0,1\n"


@pytest.mark.parametrize("head", ["id , one,two ", "\ufeffid,one,two", '"id\nof it",one,"two"', "\n\nid,one,two"])
def test_header_is_kept_to_the_letter(tmp_path, template, head):
    assert _written(tmp_path, template(f"{head}\nb,,\n")) == f"{head}\nb,1,0\n"


def test_fields_are_quoted_where_the_template_has_it_so(tmp_path, template):
    sample = template('id,one,two\n"a,b",0,0\n"c",0,0\n')
    path = tmp_path / "s.csv"
    write_submission(path, sample, np.array(["c", "a,b"]), CLASSES, DECISIONS[:2])
    assert path.read_text() == 'id,one,two\n"a,b",0,1\n"c",1,0\n'


def test_the_template_is_described(template):
    sample = template("id;one;two\r\nb;0;0\r\n007;;")
    assert sample.image_ids.tolist() == ["b", "007"]
    assert len(sample) == 2
    assert (sample.class_names, sample.separator, sample.newline, sample.tail) == (CLASSES, ";", "\r\n", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\nb\n", "got only the column 'id'"),
        ("id,one,two\n", "got a header alone"),
        ("id,one,two\nb,0,0\nb,0,0\n", "expected every id once, but 1 are there more often: 'b'"),
        ("", "empty"),
    ],
)
def test_templates_that_are_none(template, content, message):
    with pytest.raises(DataError, match=message):
        template(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,one,two\nb,0,0\nzz,0,0\n", "1 of its 2 images have no decision: 'zz'"),
        (
            "id,one,three\nb,0,0\n",
            "its columns are 'one', 'three', but decisions were made for the classes 'one', 'two'",
        ),
        ("id,one\nb,0\n", "its columns are 'one', but"),
        ("id,x\nzz,0\n", r"2 problems"),
    ],
)
def test_a_template_of_another_kind_is_refused_and_nothing_written(tmp_path, template, content, message):
    sample = template(content)
    with pytest.raises(DataError, match=message):
        write_submission(tmp_path / "s.csv", sample, IDS, CLASSES, DECISIONS)
    assert not (tmp_path / "s.csv").exists()


def test_decisions_of_the_wrong_shape_or_type(tmp_path, template):
    sample = template("id,one,two\nb,0,0\n")
    with pytest.raises(DataError, match=r"expected decisions of shape \(3, 2\)"):
        write_submission(tmp_path / "s.csv", sample, IDS, CLASSES, DECISIONS[:2])
    with pytest.raises(DataError, match=r"type bool, got .*float64"):
        write_submission(tmp_path / "s.csv", sample, IDS, CLASSES, DECISIONS.astype(float))
    with pytest.raises(DataError, match="3 decisions were given for only 1 different images"):
        write_submission(tmp_path / "s.csv", sample, np.array(["b", "b", "b"]), CLASSES, DECISIONS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,one,two\nb,1,0\n007,0,0\n", "columns 'two' do not hold"),
        ("id,one,two\n007,0,1\nb,1,0\n", "the ids, or their order"),
        ("ID,one,two\nb,1,0\n007,0,1\n", "expected the header 'id,one,two'"),
        ("id;one;two\nb;1;0\n007;0;1\n", "expected the header"),
        ("id,one\nb,1\n007,0\n", "expected 2 classes, got 1"),
        ("id,one,two\nb,1,0\n007,0\n", "cannot be read back"),
        ("id,one,two\nb,1,0\n", "expected 2 rows, got 1"),
        ("id,one,two\nb,1,0\r\n007,0,1\n", r"expected lines that end in '\\n'"),
        ("id,one,two\nb,1,0\n007,0,1", r"expected '\\n' after the last row"),
        ("id,one,two\nb,1.0,0\n007,0,1\n", "columns 'one' do not hold"),
    ],
)
def test_a_file_that_is_not_what_was_meant_is_found(tmp_path, template, content, message):
    sample = template("id,one,two\nb,0,0\n007,0,0\n")
    path = tmp_path / "s.csv"
    path.write_text(content)
    with pytest.raises(ArtefactError, match=message):
        verify_submission(path, sample, DECISIONS[:2])


def test_what_was_there_before_stays_if_the_new_file_is_not_what_was_meant(tmp_path, template, monkeypatch):
    sample, path = template("id,one,two\nb,0,0\n"), tmp_path / "out" / "s.csv"
    write_submission(path, sample, IDS, CLASSES, DECISIONS)
    before = path.read_bytes()
    monkeypatch.setattr("ensemble.submission._text", lambda *_: "id,one,two\nb,1,1\n")
    with pytest.raises(ArtefactError, match=f"{path}: the submission .* 'two' do not hold the decisions"):
        write_submission(path, sample, IDS, CLASSES, DECISIONS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_template_itself_is_never_overwritten(tmp_path, template):
    sample = template("id,one,two\nb,0,0\n")
    (tmp_path / "link.csv").symlink_to(sample.path)
    for path in (sample.path, tmp_path / "link.csv"):
        with pytest.raises(DataError, match="this is the sample submission itself"):
            write_submission(path, sample, IDS, CLASSES, DECISIONS)
    assert sample.path.read_text() == "id,one,two\nb,0,0\n"


def test_quoted_values_stay_quoted(tmp_path, template):
    sample = template('"id";"one";"two"\r\n"h;1";"0";0\r\nh2;0;"0"')
    path = tmp_path / "s.csv"
    write_submission(path, sample, np.array(["h;1", "h2"]), CLASSES, DECISIONS[:2])
    assert path.read_bytes() == b'"id";"one";"two"\r\n"h;1";"1";0\r\nh2;0;"1"'
