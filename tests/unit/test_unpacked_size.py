from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

from ensemble import unpacked_size
from ensemble.blending.foreign import npz_file
from ensemble.blending.foreign.npz_file import open_npz
from ensemble.errors import DataError


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, id=np.array(["a"]), class_names=np.array(["one"]), probabilities=np.zeros((1, 1)))
    assert open_npz(path).path == path
    monkeypatch.setattr(unpacked_size, "MAX_ARRAY_BYTES", 100)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(DataError, match=r"expected arrays of at most 100 bytes, '\w+\.npy' unpacks to 1[0-9][0-9]"):
        open_npz(path)


@pytest.mark.parametrize("name", ["id.npy", "id"])
def test_a_head_that_is_no_head_is_not_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b" " * 1000)
    with pytest.raises(DataError, match=rf"a head of at most 65,536 bytes before the numbers of '{name}', got 2,147,"):
        open_npz(tmp_path / "a.npz")


def test_small_numbers_and_bytes_that_grow_in_memory_are_refused(tmp_path, monkeypatch):
    names, texts = np.array(["one", "two"]), np.array([f"r{row}" for row in range(40)])
    numbers = np.zeros((40, 2), np.bool_)
    for ids, limit, message in (
        (np.arange(40, dtype=np.int8), 3000, "id to take at most 3,000 bytes in memory, got 3,360"),
        (np.char.encode(texts), 400, "id to take at most 400 bytes in memory, got 480"),
        (texts, 600, "probabilities to take at most 600 bytes in memory, got 640"),
    ):
        np.savez(tmp_path / "a.npz", id=ids, class_names=names, probabilities=numbers)
        assert len(open_npz(tmp_path / "a.npz").columns) == 2
        with monkeypatch.context() as patched:
            patched.setattr(npz_file, "MAX_ARRAY_BYTES", limit)
            with pytest.raises(DataError, match=message):
                open_npz(tmp_path / "a.npz")
