from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ensemble import unpacked_size
from ensemble.blending.foreign.npz_file import open_npz
from ensemble.blending.foreign.parquet_file import open_parquet
from ensemble.errors import DataError
from ensemble.predictions import read_predictions


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, id=np.array(["a"]), class_names=np.array(["one"]), probabilities=np.zeros((1, 1)))
    assert open_npz(path).path == path
    monkeypatch.setattr(unpacked_size, "MAX_ARRAY_BYTES", 100)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(DataError, match=r"expected arrays of at most 100 bytes, '\w+\.npy' unpacks to 1[0-9][0-9]"):
        open_npz(path)


@pytest.mark.parametrize("reader", [open_parquet, read_predictions])
def test_a_table_with_too_many_rows_is_not_read(tmp_path, monkeypatch, reader):
    pq.write_table(pa.table({"id": ["a", "b"], "one": [0.1, 0.2]}), tmp_path / "a.parquet")
    monkeypatch.setattr(unpacked_size, "MAX_CELLS", 3)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("read"))
    monkeypatch.setattr(pq, "read_table", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(DataError, match="expected at most 3 fields, got 2 rows of 2 columns"):
        reader(tmp_path / "a.parquet")
