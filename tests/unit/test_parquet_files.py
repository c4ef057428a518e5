"""Small Parquet files that would fill memory, and the columns of text that do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble import parquet_files
from ensemble.blending.foreign.opening import open_table
from ensemble.errors import DataError
from ensemble.predictions import PredictionTable, read_predictions, write_predictions

LONG = "x" * 100_000
MANY = 50_000
HEAD = {b"ensemble": b'{"version": 1, "scale": "logits", "class_names": ["a"]}'}


def repeated(text: str, rows: int) -> pa.Array:
    """A text that is stored once, however many rows refer to it."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def write(path: Path, columns: dict[str, Any], head: dict[bytes, bytes] | None = None) -> Path:
    # Without Arrow's own schema, as other programs write it: the columns are plain text then.
    table = pa.table(columns)
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(head or {})
    assert path.stat().st_size < 2**20
    return path


@pytest.mark.parametrize("reader", [open_table, read_predictions])
def test_a_table_with_too_many_rows_is_not_read(tmp_path, monkeypatch, reader):
    write(tmp_path / "a.parquet", {"id": ["a", "b"], "one": [0.1, 0.2]})
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("read"))
    with monkeypatch.context() as patched:
        patched.setattr(parquet_files, "MAX_CELLS", 3)
        with pytest.raises(DataError, match="expected at most 3 fields, got 2 rows of 2 columns"):
            reader(tmp_path / "a.parquet")
    monkeypatch.setattr(parquet_files, "MAX_ARRAY_BYTES", 5)
    with pytest.raises(DataError, match=r"expected at most 5 bytes of text, got [0-9]+\. It was not read"):
        reader(tmp_path / "a.parquet")


def test_one_long_id_that_many_rows_have_is_refused(tmp_path):
    numbers = pa.array(np.zeros(MANY, np.float32))
    path = write(tmp_path / "a.parquet", {"id": repeated(LONG, MANY), "a": numbers})
    message = r"column '\w+': expected texts that fit into 1,073,741,824 bytes of memory, got 50,000 rows, one of th"
    with pytest.raises(DataError, match=message):
        open_table(path).load(["a"])
    path = write(tmp_path / "ours.parquet", {"image_id": repeated(LONG, MANY), "a": numbers}, HEAD)
    with pytest.raises(DataError, match=message):
        read_predictions(path)
    with pytest.raises(DataError, match=message):
        open_table(path)


def test_one_long_id_among_many_short_ones_is_refused(tmp_path):
    ids = [*(f"r{row}" for row in range(MANY)), LONG]
    table = PredictionTable(np.array(["r"]), ("a",), np.zeros((1, 1), np.float32))
    write_predictions(tmp_path / "sound.parquet", table)
    assert read_predictions(tmp_path / "sound.parquet").image_ids.tolist() == ["r"]
    numbers = pa.array(np.zeros(len(ids), np.float32))
    for path in (
        write(tmp_path / "a.parquet", {"image_id": ids, "a": numbers}),
        write(tmp_path / "ours.parquet", {"image_id": ids, "a": numbers}, HEAD),
    ):
        with pytest.raises(DataError, match="got 50,001 rows, one of them of 100,000 characters"):
            open_table(path).load(["a"])
    (tmp_path / "a.csv").write_text("image_id,a\n" + "".join(f"{one},0\n" for one in ids))
    with pytest.raises(DataError, match="'image_id': line 50002 holds 100,000 characters, too long for a column of"):
        open_table(tmp_path / "a.csv").load(["a"])


def test_text_that_is_no_id_is_never_read(tmp_path, monkeypatch):
    asked = []
    read = pq.ParquetFile.read

    def spy(file: pq.ParquetFile, columns: list[str]) -> pa.Table:
        asked.append(columns)
        return read(file, columns)

    monkeypatch.setattr(pq.ParquetFile, "read", spy)
    numbers = pa.array(np.zeros(MANY, np.float32))
    columns = {"id": [str(row) for row in range(MANY)], "a": numbers, "report": repeated(LONG, MANY)}
    table = open_table(write(tmp_path / "a.parquet", columns))
    assert table.columns == ("a", "report")
    assert len(table.load(["a"])[0]) == MANY
    with pytest.raises(DataError, match=r"expected numbers, got other columns: 'report \(string\)'"):
        table.load(["report"])
    ours = {"image_id": columns["id"], "a": numbers, "report": columns["report"]}
    assert len(read_predictions(write(tmp_path / "ours.parquet", ours, HEAD))) == MANY
    assert asked == [["id", "a"], ["image_id", "a"]]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("store_schema", [True, False])
def test_ids_of_any_kind_of_text_come_as_they_are(tmp_path, monkeypatch, kind, store_schema):
    monkeypatch.setattr(parquet_files, "_AT_ONCE", 2)
    ids = ["007", "NA", "", "\u00fc/b.png", "007x", "007"]
    columns = {"id": pa.array([*ids, None]).cast(kind), "a": [float(row) for row in range(7)]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", store_schema=store_schema, row_group_size=3)
    found, values = open_table(tmp_path / "a.parquet").load(["a"])
    assert found.tolist() == [*ids, ""]
    assert values[:, 0].tolist() == list(range(7))


def test_text_that_is_not_utf8_is_refused(tmp_path):
    content = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"], pa.binary()).buffers())
    with pytest.raises(DataError, match="column 'id': expected UTF-8 text, but it is damaged"):
        open_table(write(tmp_path / "a.parquet", {"id": content, "a": [0.5]})).load(["a"])


def test_what_arrow_would_read_whatever_the_number_of_rows_counts(monkeypatch):
    """Files that other programs can write, but Arrow cannot."""

    def check(**said: Any) -> None:
        kind = SimpleNamespace(type=said.get("logical", "NONE"))
        leaf = SimpleNamespace(
            physical_type=said["physical"], logical_type=kind, converted_type=None, length=10**6, path="a"
        )
        chunk = SimpleNamespace(num_values=said["values"], total_uncompressed_size=100)
        group = SimpleNamespace(column=lambda _: chunk)
        metadata: Any = SimpleNamespace(num_rows=1, num_columns=1, num_row_groups=1, row_group=lambda _: group)
        parquet_files._check_size(Path("a.parquet"), metadata, [leaf])

    check(physical="FLOAT", values=2**29)
    with pytest.raises(DataError, match="expected at most 536,870,912 fields"):
        check(physical="FLOAT", values=2**29 + 1)
    with pytest.raises(DataError, match="bytes of text, got 10,000,000,000"):
        check(physical="FIXED_LEN_BYTE_ARRAY", values=10_000)
    check(physical="BYTE_ARRAY", logical="STRING", values=10)
    with pytest.raises(DataError, match=r"column 'a': decimals of any length are not read\. Store it as float64"):
        check(physical="BYTE_ARRAY", logical="DECIMAL", values=10)
