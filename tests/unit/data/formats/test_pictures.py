from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from ensemble.data.formats.limits import MAX_BYTES
from ensemble.data.images import check_head, read_grey
from ensemble.errors import DataError
from ensemble.unpacked_size import MAX_PIXELS

GREY = (np.arange(30).reshape(6, 5) * 8).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 200


def _tiff(image: np.ndarray, **tags: int) -> bytes:
    """A TIFF as cv2 writes it, with short tags changed: ``photometric``, ``width``."""
    content = bytearray(cv2.imencode(".tif", image)[1].tobytes())
    numbers = {"width": 256, "photometric": 262}
    first = struct.unpack("<I", content[4:8])[0]
    for entry in range(struct.unpack("<H", content[first : first + 2])[0]):
        place = first + 2 + 12 * entry
        for name, value in tags.items():
            if struct.unpack("<H", content[place : place + 2])[0] == numbers[name]:
                content[place + 8 : place + 10] = struct.pack("<H", value)
    return bytes(content)


def _saved(image: Image.Image, kind: str, **how: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path):
    def _read(content: bytes, name: str = "a.tif") -> np.ndarray:
        (tmp_path / name).write_bytes(content)
        check_head(tmp_path / name)
        return read_grey(tmp_path / name)

    return _read


@pytest.mark.parametrize("image", [GREY, DEEP])
def test_white_is_zero_is_inverted_whatever_the_depth(read, image):
    np.testing.assert_array_equal(read(_tiff(image)), image)
    np.testing.assert_array_equal(read(_tiff(image, photometric=0)), np.iinfo(image.dtype).max - image)


def test_alpha_in_tiff_is_composited_once(read):
    alpha = np.full_like(GREY, 128)
    expected = np.round(GREY * (128 / 255)).astype(np.uint8)
    colour = Image.fromarray(np.stack([GREY, GREY, GREY, alpha], axis=-1))
    np.testing.assert_array_equal(read(_saved(colour, "TIFF")), expected)
    np.testing.assert_array_equal(read(_saved(Image.fromarray(np.stack([GREY, alpha], -1), "LA"), "TIFF")), expected)
    np.testing.assert_array_equal(read(_saved(colour, "PNG"), "a.png"), expected)


def test_deep_tiff_with_alpha_is_refused(read):
    deep = np.stack([DEEP] * 4, axis=-1)
    with pytest.raises(DataError, match="TIFF with alpha is read with 8 bits a channel alone, this has 16"):
        read(cv2.imencode(".tif", deep)[1].tobytes())


def test_a_deep_colour_tiff_that_holds_grey_keeps_its_bits(read):
    np.testing.assert_array_equal(read(cv2.imencode(".tif", np.stack([DEEP] * 3, -1))[1].tobytes()), DEEP)


@pytest.mark.parametrize(("kind", "what"), [("TIFF", "more than one pages"), ("PNG", "2 frames"), ("WEBP", "2 frames")])
def test_one_image_a_file(read, kind, what):
    first, second = (Image.fromarray(np.stack([image] * 3, -1)) for image in (GREY, 255 - GREY))
    with pytest.raises(DataError, match=f"expected one image, got {what}"):
        read(_saved(first, kind, save_all=True, append_images=[second]))


@pytest.mark.parametrize("side", [8200, 60_000])
def test_a_bomb_is_refused_before_it_is_decoded(read, monkeypatch, side):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    small = bytearray(cv2.imencode(".png", GREY)[1].tobytes())
    small[16:24] = struct.pack(">II", side, side)
    small[29:33] = struct.pack(">I", zlib.crc32(bytes(small[12:29])))
    with pytest.raises(DataError, match=r"8,200 × 8,200|too many pixels"):
        read(bytes(small), "a.png")
    tall = np.zeros((8200, 1), np.uint8)
    with pytest.raises(DataError, match=r"8,200 × 60,000\. It was not decoded"):
        read(_tiff(tall, width=60_000))
    assert MAX_PIXELS < 8200**2


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match="expected at most 1,073,741,824 bytes for one image"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO"])
def test_other_kinds_of_pictures_are_refused(read, kind):
    with pytest.raises(DataError, match=r"none of PNG, JPEG, BMP, TIFF, WebP, \.npy and DICOM"):
        read(_saved(Image.fromarray(GREY), kind), "a.png")


def test_a_tiff_without_a_size_is_damaged(read):
    with pytest.raises(DataError, match="cannot be decoded"):
        read(b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    with pytest.raises(DataError, match="6 × 0 pixels, which shows nothing"):
        read(_tiff(GREY, width=0))


@pytest.mark.parametrize("width", [float("inf"), float("nan"), -1e300])
def test_a_tiff_whose_size_is_no_whole_number_is_damaged(read, width):
    content = bytearray(_tiff(GREY))
    first = struct.unpack("<I", content[4:8])[0]
    place = next(place for place in range(first + 2, len(content), 12) if content[place : place + 2] == b"\0\1")
    content += bytes(len(content) % 2)
    content[place : place + 12] = struct.pack("<HHII", 256, 12, 1, len(content))  # a number of 8 bytes, at the end
    content += struct.pack("<d", width)
    with pytest.raises(DataError, match=r"cannot be decoded|which shows nothing"):
        read(bytes(content))
