from __future__ import annotations

import pickle

import numpy as np
import pytest

from ensemble.data.images import check_head, read_grey
from ensemble.errors import DataError

GREY = (np.arange(30).reshape(6, 5) * 8).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_grey_is_taken_as_it_is(tmp_path, dtype):
    path = tmp_path / "a.npy"
    for image in (GREY.astype(dtype), np.asfortranarray(GREY.astype(dtype)), GREY.astype(dtype)[:, :, None]):
        np.save(path, image)
        check_head(path)
        read = read_grey(path)
        assert read.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(read, GREY)


def test_channels_are_red_green_blue_and_alpha(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8))
    assert read_grey(tmp_path / "a.npy").tolist() == [[76, 29]]
    np.save(tmp_path / "a.npy", np.array([[[100, 100, 100, 128]]], np.uint8))
    assert read_grey(tmp_path / "a.npy").tolist() == [[50]]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (GREY.astype(np.float32), "expected uint8 or uint16, got float32"),
        (GREY.astype(np.int16), "got int16, for which nobody says what is black"),
        (GREY[None, :, :, None], r"expected an image of shape \(height, width\)"),
        (GREY[0], "got .5,."),
        (np.zeros((3, 5, 4, 2), np.uint8), "expected an image of shape"),
        (np.zeros((0, 5), np.uint8), "a.npy: expected an"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, said):
    np.save(tmp_path / "a.npy", array)
    for reader in (read_grey, check_head):
        with pytest.raises(DataError, match=said):
            reader(tmp_path / "a.npy")


def test_objects_are_never_unpickled(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(DataError, match=r"Arrays of Python objects are not read, for they could run code"):
        read_grey(tmp_path / "a.npy")


def test_damage_and_bombs_are_told(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, GREY)
    whole = path.read_bytes()
    for content in (whole[:7], whole[:100], whole[:-1], whole + b"more"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.npy: expected"):
            read_grey(path)
    path.write_bytes(whole.replace(b"(6, 5), }", b"(66666, 55555), }"))
    with pytest.raises(DataError, match=r"a\.npy: expected an array .* cannot be read"):
        read_grey(path)
