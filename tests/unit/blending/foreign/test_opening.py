"""Every format, in the spellings in which people have it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble.blending.foreign.opening import open_table
from ensemble.errors import ArtefactError, DataError
from ensemble.predictions import PredictionTable, write_predictions


@pytest.fixture
def write(tmp_path: Path):
    def _write(content: str | bytes, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def loaded(path: Path, *names: str):
    table = open_table(path)
    ids, values = table.load(names or table.columns)
    assert values.dtype == np.float64
    assert values.shape == (len(ids), len(names or table.columns))
    return ids.tolist(), values.tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_in_many_spellings(write, separator, newline, mark):
    rows = [["id", " A b", "c"], ["007", "0.25", "1"], ["NA", " 0.5 ", "0"], ['"x,;\ty"', "1e-3", ""]]
    path = write(mark + newline.join(separator.join(row) for row in rows) + newline * 2)
    ids, values = loaded(path)
    assert open_table(path).columns == ("A b", "c")
    assert ids == ["007", "NA", "x,;\ty"]
    np.testing.assert_array_equal(values, [[0.25, 1], [0.5, 0], [0.001, np.nan]])


def test_csv_numbers_that_arrow_cannot_read_are_read_all_the_same(write):
    assert loaded(write("id,a\nx,+0.5\ny, nan\n"))[0] == ["x", "y"]
    np.testing.assert_array_equal(loaded(write("id,a\nx,+0.5\ny, NaN \n"))[1], [[0.5], [np.nan]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a\nx,0.5\ny,high\n", r"a.csv, column 'a': expected numbers, got line 3: 'high'"),
        ("id;a\nx;0,5\n", r"a.csv, column 'a': expected numbers, got line 2: '0,5'"),
        ("id,a\nx,0.5,1\n", "expected 2 fields a row, as in the header, but line 2 has 3"),
        (",a\n0,0.5\n", r"column 1 has no name in the header.*index=False"),
        ("id,a,a\nx,0.5,1\n", "the header names 'a' more than once"),
        ("", "expected a header and rows, but the file is empty"),
        ("id,a\nx\0,1\n", "NUL bytes"),
    ],
)
def test_csv_that_is_wrong_is_refused_by_line(write, text, message):
    with pytest.raises(DataError, match=message):
        loaded(write(text))


def test_the_ids_are_the_column_of_that_name_else_the_first(write):
    assert loaded(write("a,id\n0.5,x\n"))[0] == ["x"]
    assert loaded(write("a,image_id\n0.5,x\n"))[0] == ["x"]
    assert loaded(write("Image,a\nx,0.5\n"))[0] == ["x"]


def test_other_columns_need_not_be_numbers(write):
    path = write("id,a,comment\nx,0.5,fine\n")
    assert loaded(path, "a") == (["x"], [[0.5]])
    ids, values = open_table(path).load([])
    assert ids.tolist() == ["x"]
    assert values.shape == (1, 0)


def test_our_parquet_says_its_scale_and_notes(tmp_path):
    ids = np.array(["007", "NA"])
    table = PredictionTable(ids, ("a", "b"), np.array([[1, 2], [3, 4]], np.float32), notes={"select": "last"})
    write_predictions(tmp_path / "m.parquet", table)
    opened = open_table(tmp_path / "m.parquet")
    assert (opened.scale, opened.columns, dict(opened.notes)) == ("logits", ("a", "b"), {"select": "last"})
    assert loaded(tmp_path / "m.parquet", "b", "a") == (["007", "NA"], [[2, 1], [4, 3]])


def parquet(path: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_from_pandas(tmp_path):
    index = {"a": [0.25, None], "b": [True, False], "__index_level_0__": ["007", "x"]}
    path = parquet(tmp_path / "index.parquet", index)
    assert open_table(path).scale is None
    ids, values = loaded(path)
    assert ids == ["007", "x"]
    np.testing.assert_array_equal(values, [[0.25, 1], [np.nan, 0]])
    named = {"a": pa.array([1, 2], pa.int8()), "id": [7, 8], "__index_level_0__": [3, 4]}
    path = parquet(tmp_path / "named.parquet", named)
    assert open_table(path).columns == ("a",)
    assert loaded(path) == (["7", "8"], [[1], [2]])
    first = {"name": pa.array(["x", None]).dictionary_encode(), "a": pa.array([0.5, 1], pa.float32())}
    assert loaded(parquet(tmp_path / "first.parquet", first)) == (["x", ""], [[0.5], [1]])


def test_parquet_that_is_wrong_is_refused(tmp_path, write):
    with pytest.raises(DataError, match=r"a.parquet: expected a Parquet table, but it cannot be read"):
        open_table(write("id,a\n", "a.parquet"))
    with pytest.raises(DataError, match=r"expected ids, as text or whole numbers, got double"):
        loaded(parquet(tmp_path / "float.parquet", {"id": [1.0], "a": [0.5]}))
    with pytest.raises(DataError, match=r"expected numbers, got other columns: 'a \(string\)'"):
        loaded(parquet(tmp_path / "text.parquet", {"id": ["x"], "a": ["0.5"]}))
    newer = pa.table({"image_id": ["x"], "a": [0.5]}).replace_schema_metadata({"ensemble": '{"version": 99}'})
    pq.write_table(newer, tmp_path / "newer.parquet")
    with pytest.raises(ArtefactError, match="format version 99"):
        open_table(tmp_path / "newer.parquet")


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("scale", ["probabilities", "logits"])
def test_npz_says_its_scale(tmp_path, scale):
    ids = np.array([b"007", "\u00e4".encode()])
    path = npz(tmp_path / "a.npz", id=ids, class_names=np.array(["a", "b"]), **{scale: np.eye(2, dtype=np.float16)})
    assert open_table(path).scale == scale
    assert loaded(path, "b", "a") == (["007", "\u00e4"], [[0, 1], [1, 0]])


def test_npz_with_pickled_objects_is_never_loaded(tmp_path, write):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    names, values = np.array(["a"]), np.ones((1, 1))
    path = npz(tmp_path / "bomb.npz", id=np.array([Bomb()], dtype=object), class_names=names, logits=values)
    with pytest.raises(DataError, match=r"Python objects are not read, for they could run code.*dtype=str"):
        open_table(path)
    assert not (tmp_path / "exploded").exists()
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="got another kind of file"):
        open_table(write(buffer.getvalue(), "bare.npz"))
    assert not (tmp_path / "exploded").exists()


def test_npz_that_is_wrong_is_refused(tmp_path, write):
    ids, names, values = np.array(["x"]), np.array(["a"]), np.ones((1, 1))
    for arrays, message in (
        ({"id": ids, "logits": values}, "class_names is missing"),
        ({"id": ids, "class_names": names}, "one of the arrays 'probabilities' and 'logits', got 'id', 'class_names'"),
        ({"id": ids, "class_names": names, "logits": values, "probabilities": values}, "one of the arrays"),
        ({"id": ids, "class_names": names, "logits": values.T[0]}, r"shape \(1, 1\) \(ids, class_names\), got float64"),
        ({"id": ids, "class_names": np.array(["a", "a"]), "logits": np.ones((1, 2))}, "class_names holds 'a' more"),
        ({"id": np.array([1.5]), "class_names": names, "logits": values}, "id to be one-dimensional text, got float64"),
        ({"id": np.array([b"\xff"]), "class_names": names, "logits": values}, "id to be UTF-8 text"),
    ):
        with pytest.raises(DataError, match=message):
            open_table(npz(tmp_path / "a.npz", **arrays))
    with pytest.raises(DataError, match="got another kind of file"):
        open_table(write("no zip", "b.npz"))
    whole = npz(tmp_path / "c.npz", id=ids, class_names=names, logits=values).read_bytes()
    damaged = whole.replace(b"NUMPY", b"NUMPX")
    with pytest.raises(DataError, match="an NPZ file of plain arrays, but it cannot be read"):
        open_table(write(damaged, "d.npz"))


def test_no_file_and_no_format(tmp_path):
    with pytest.raises(DataError, match="the file is missing"):
        open_table(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"ends in .csv, .parquet, .npz"):
        open_table(tmp_path / "a.xlsx")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(DataError, match="got a folder"):
        open_table(tmp_path / "b.csv")
