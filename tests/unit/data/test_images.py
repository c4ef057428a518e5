from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.data.images import preprocess, read_grey, sixteen_bit
from ensemble.errors import DataError

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.fixture
def png(tmp_path):
    """Write a PNG of one row, byte by byte, so that every kind of PNG can be had."""

    def _png(kind: int, row: bytes, *, width: int, depth: int = 8, palette: bytes = b"") -> Path:
        head = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
        chunks = [_chunk(b"IHDR", head), _chunk(b"PLTE", palette) if palette else b""]
        chunks += [_chunk(b"IDAT", zlib.compress(b"\0" + row)), _chunk(b"IEND", b"")]
        path = tmp_path / "image.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
        return path

    return _png


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif", ".jpg", ".webp"])
def test_every_kind_of_file(tmp_path, ending):
    image = np.full((6, 4), 90, np.uint8)
    cv2.imwrite(str(tmp_path / f"a{ending}"), image)
    read = read_grey(tmp_path / f"a{ending}")
    assert read.shape == (6, 4)
    assert read.dtype == np.uint8
    np.testing.assert_allclose(read, image, atol=2)


def test_one_channel_is_taken_as_it_is(png):
    assert read_grey(png(GREY, bytes([0, 100, 255]), width=3)).tolist() == [[0, 100, 255]]
    assert read_grey(png(GREY, bytes([0b10100000]), width=3, depth=1)).tolist() == [[255, 0, 255]]


def test_sixteen_bits_stay(png):
    image = read_grey(png(GREY, struct.pack(">3H", 0, 1000, 65535), width=3, depth=16))
    assert image.dtype == np.uint16
    assert image.tolist() == [[0, 1000, 65535]]


def test_colour_files_that_hold_grey_give_that_grey(png):
    assert read_grey(png(RGB, bytes([7, 7, 7, 200, 200, 200]), width=2)).tolist() == [[7, 200]]
    palette = bytes([10, 10, 10, 250, 250, 250])
    assert read_grey(png(PALETTE, bytes([1, 0]), width=2, palette=palette)).tolist() == [[250, 10]]
    row = struct.pack(">6H", 7, 7, 7, 2000, 2000, 2000)
    image = read_grey(png(RGB, row, width=2, depth=16))
    assert image.dtype == np.uint16
    assert image.tolist() == [[7, 2000]]


def test_colour_gives_luma(png):
    red, green, blue = read_grey(png(RGB, bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]), width=3))[0].tolist()
    assert [red, green, blue] == [round(255 * weight) for weight in (0.299, 0.587, 0.114)]


def test_the_first_file_that_loses_colour_is_named(png, monkeypatch, caplog):
    monkeypatch.setattr("ensemble.data.images._COLOURED", itertools.count())
    read_grey(png(RGB, bytes([7, 7, 7]), width=1))
    assert not caplog.records
    for _ in range(2):
        read_grey(png(RGB, bytes([255, 0, 0]), width=1))
    (record,) = caplog.records
    assert "image.png holds colour, of which only the luma is used" in record.getMessage()


def test_alpha_is_composited_over_black(png):
    assert read_grey(png(GREY_ALPHA, bytes([100, 255, 100, 128, 100, 0]), width=3)).tolist() == [[100, 50, 0]]
    row = bytes([8, 8, 8, 255, 200, 200, 200, 255])
    assert read_grey(png(RGB_ALPHA, row, width=2)).tolist() == [[8, 200]]
    row = struct.pack(">4H", 60000, 65535, 60000, 32768)
    assert read_grey(png(GREY_ALPHA, row, width=2, depth=16)).tolist() == [[60000, 30000]]


def test_missing_damaged_and_foreign_files_are_told_apart(tmp_path, png):
    with pytest.raises(DataError, match=r"none.png: the image file is missing"):
        read_grey(tmp_path / "none.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_grey(tmp_path)
    path = png(GREY, bytes(range(100)), width=100)
    whole = path.read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"image.png: .*its {len(content)} bytes cannot be decoded"):
            read_grey(path)


def test_another_depth_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tiff"), np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match="expected 8 or 16 bits a channel, got float32"):
        read_grey(tmp_path / "a.tiff")


def test_more_channels_than_colour_and_alpha_are_refused(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.tiff"), np.zeros((2, 2), np.uint8))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((2, 2, 5), np.uint8))
    with pytest.raises(DataError, match="expected grey or RGB, with or without alpha, got 5 channels"):
        read_grey(tmp_path / "a.tiff")


def test_sixteen_bit_keeps_black_and_white():
    assert sixteen_bit(np.array([[0, 1, 255]], np.uint8)).tolist() == [[0, 257, 65535]]
    image = np.array([[3]], np.uint16)
    np.testing.assert_array_equal(sixteen_bit(image), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_preprocess_gives_height_and_width_in_this_order(dtype):
    image = np.zeros((40, 30), dtype)
    resized = preprocess(image, (20, 60))
    assert resized.shape == (20, 60)
    assert resized.dtype == dtype
    assert preprocess(image, (40, 30)) is image


def test_shrinking_averages_areas_and_growing_interpolates():
    image = np.kron(np.array([[0, 100], [200, 40]]), np.ones((4, 4))).astype(np.uint8)
    np.testing.assert_array_equal(preprocess(image, (2, 2)), [[0, 100], [200, 40]])
    checked = np.indices((8, 8)).sum(0) % 2 * 200
    np.testing.assert_array_equal(preprocess(checked.astype(np.uint8), (4, 4)), np.full((4, 4), 100))
    np.testing.assert_array_equal(preprocess(np.array([[0, 100]], np.uint8), (1, 4)), [[0, 25, 75, 100]])
    # One side of each: the pairs of rows are averaged, not sampled, and the columns interpolated.
    tall = np.array([[0, 100], [200, 100]] * 2, np.uint8)
    np.testing.assert_array_equal(preprocess(tall, (2, 4)), [[100] * 4] * 2)


def test_cv2_does_not_speak_beside_our_error(tmp_path, png):
    path = png(GREY, bytes(range(100)), width=100)
    path.write_bytes(path.read_bytes()[:60])
    code = "import sys\nfrom pathlib import Path\nfrom ensemble.data.images import read_grey\n"
    code += "try: read_grey(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env=environment
    )
    assert "its 60 bytes cannot be decoded: it is damaged, or none" in done.stdout
    assert done.stderr == ""
