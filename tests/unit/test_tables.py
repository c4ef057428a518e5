from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ensemble.errors import DataError
from ensemble.field_values import number_column, parse_numbers
from ensemble.tables import read_table, shortened


@pytest.fixture
def write(tmp_path):
    def _write(content: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def test_ids_stay_text_as_they_stand_in_the_file(write):
    table = read_table(write("id,a\n007,1\nNA,0\n1e3,1\n x ,0\n"))
    assert table.columns["id"].tolist() == ["007", "NA", "1e3", " x "]
    assert table.header == ("id", "a")
    assert table.lines.tolist() == [2, 3, 4, 5]
    assert len(table) == 4


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_marks(write, separator, newline, mark):
    text = mark + newline.join(
        [separator.join(row) for row in (["id", " a "], ["x,y" if separator == ";" else "x", "1"])]
    )
    table = read_table(write(text))
    assert table.header == ("id", "a")
    assert table.separator == separator
    assert table.columns["a"].tolist() == ["1"]


def test_quoted_fields_and_blank_lines_keep_the_right_line_numbers(write):
    table = read_table(write('id,a\n\n"two\nlines",1\n"a,b",0\n\n'))
    assert table.columns["id"].tolist() == ["two\nlines", "a,b"]
    assert table.lines.tolist() == [3, 5]


def test_separator_inside_a_quoted_name_does_not_count(write):
    assert read_table(write('"i;d;",a\nx,1\n')).header == ("i;d;", "a")


def test_spaces_before_quotes_are_no_part_of_the_field(write):
    table = read_table(write('"id", "a b"\n"x, 1", "0"\n "y",1\n'))
    assert table.header == ("id", "a b")
    assert table.columns["id"].tolist() == ["x, 1", "y"]
    assert table.columns["a b"].tolist() == ["0", "1"]


def test_lines_of_spaces_are_blank(write):
    table = read_table(write("  \nid;a\nx;1\n   \ny;0\n"))
    assert (table.separator, table.lines.tolist()) == (";", [3, 5])


def test_a_header_alone_is_an_empty_table(write):
    table = read_table(write("id,a\n"))
    assert len(table) == 0
    assert table.columns["a"].shape == (0,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        (",a\n0,1\n", "column 1 has no name.*index=False"),
        ("id,a,a\nx,1,1\n", "names 'a' more than once"),
        ("id,a\nx,1\ny,1,0\nz\n", "expected 2 fields a row, as in the header, but line 3 has 3, line 4 has 1"),
        ('id,a\n"x,1\ny,0\n', "from line 2: .*bad quoting"),
        ("id,a\nx,\xe9\n".encode("latin-1"), "line 2: expected UTF-8 text, got the byte 0xe9 .*'x,é'"),
        ("id,a\nx,1\n".encode("utf-16-le"), "NUL bytes .UTF-16"),
        ("id,a\nx,1\n".encode("utf-16"), "this is text in UTF-16. Save the file"),
        ("id,a\nx,1\n".encode("utf-32"), "this is text in UTF-32"),
        ("id,a\nx\0,1\n", r"line 2: .*NUL bytes .is the file damaged"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive, as Excel's .xlsx is"),
        (b"\x1f\x8b\x08\x00", "compressed by gzip"),
        ("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("\n<!DOCTYPE html>\n<html>", "a web page"),
        ("   \n \n", "the file is empty"),
        ("sep=;\nid;a\nx;1\n", "a note for Excel"),
        ("# made by hand\nid,a\n", "got a comment '# made by hand'"),
        ("id|a\nx|1\n", r"one column 'id\|a': write it anew with commas"),
        ("id,a\nx,1,\ny,0,\n", "Every row has one more"),
        ("id,a\n" + "x" * 200_000 + ",1\n", "from line 2: a field holds more than 131,072 characters. Is a quote"),
        ("id,a\n" + "x" * 100_000 + ",1\n" + "y,0\n" * 4_000, "'id': line 2 holds 100,000 characters, too long"),
    ],
)
def test_unreadable_tables_are_refused(write, content, message):
    with pytest.raises(DataError, match=message):
        read_table(write(content))


def test_columns_that_only_together_fill_memory_are_refused(write):
    """One row of long fields among many of short ones: each column passes alone."""
    long, short = ",".join(["x" * 100_000] * 5), ",".join("y" * 5)
    said = (
        r"expected 6 columns that fit into 4,026,531,840 bytes of memory.* got 5,200,0[0-9,]*: the widest is 'a', "
        "whose line 2 holds 100,000 characters"
    )
    with pytest.raises(DataError, match=said):
        read_table(write("id,a,b,c,d,e\n1," + long + "\n" + f"2,{short}\n" * 2_599))


def test_a_header_of_very_many_names_is_looked_at_once(write):
    names = [f"c{number}" for number in range(100_000)]
    with pytest.raises(DataError, match="names 'c7' more than once"):
        read_table(write(",".join([*names, "c7"]) + "\n"))


def test_all_problems_of_a_table_at_once(write):
    with pytest.raises(DataError, match=r"2 problems(.|\n)*no name(.|\n)*line 2 has 1"):
        read_table(write("id,\nx\n"))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(DataError, match=r"gone.csv: the file is missing"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(DataError, match=r"labels.csv: .* expected a file, got a pipe or device"):
        read_table(tmp_path / "labels.csv")


def test_numbers():
    texts = np.array(["1", " 0.5 ", "-1e-3", ".5", "", "NaN", "NA", "1_0", "inf", "0,5", "1e999", "٣"])
    values, refused = parse_numbers(texts)
    np.testing.assert_array_equal(values[:7], [1, 0.5, -1e-3, 0.5, np.nan, np.nan, np.nan])
    assert refused.tolist() == [7, 8, 9, 10, 11]
    assert np.isnan(values[7:]).all()
    assert values.dtype == np.float64


def test_number_column_names_line_column_and_value(write):
    table = read_table(write("id,a\nx,1\ny,many\n"))
    with pytest.raises(DataError, match=r"table.csv, column 'a': expected numbers, got line 3: 'many'"):
        number_column(table, "a")
    with pytest.raises(DataError, match="expected a column 'b', got the columns 'id', 'a'"):
        number_column(table, "b")


def test_number_column_of_numbers(write):
    np.testing.assert_array_equal(number_column(read_table(write("id,a\nx,1\ny,\n")), "a"), [1, np.nan])


def test_shortened():
    assert shortened(["a", "b"]) == "a, b"
    assert shortened(list("abcdefg")) == "a, b, c, d, e (+2 more)"


def test_a_table_of_spaces_is_told_what_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("id one two\na 0 1\n")
    with pytest.raises(DataError, match="separated by comma, semicolon or tab, got one column 'id one two'"):
        read_table(path)
