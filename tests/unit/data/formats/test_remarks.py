"""What decoders write to stderr is counted; what others write there arrives."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.data.decode import quiet_decoders
from ensemble.data.formats.remarks import counted_remarks, said_of
from ensemble.data.images import read_grey
from ensemble.errors import DataError

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def png_with_a_bad_profile(path: Path) -> Path:
    """libpng warns of it, and decodes."""
    content = cv2.imencode(".png", GREY)[1].tobytes()
    chunk = b"iCCP" + b"x\0\0" + zlib.compress(b"no profile")
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:33] + whole + content[33:])
    return path


def test_remarks_are_one_line_and_the_terminal_stays_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = png_with_a_bad_profile(tmp_path / "a.png")
    with quiet_decoders():
        for _ in range(3):
            np.testing.assert_array_equal(read_grey(path), GREY)
        os.write(2, b"of somebody else\n")
    assert "libpng" not in (said := capfd.readouterr().err)
    assert "of somebody else" in said
    (record,) = caplog.records
    assert "remarked 'libpng warning: iCCP" in record.getMessage()
    assert "(3 times)" in record.getMessage()


def test_without_remarks_nothing_is_said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_decoders():
        pass
    os.write(2, b"as before\n")
    assert caplog.records == []
    assert capfd.readouterr().err == "as before\n"


def test_a_refused_file_is_named_all_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes()[:-200])
    with counted_remarks() as remarks, pytest.raises(DataError, match=r"a\.png: expected an image"):
        read_grey(tmp_path / "a.png")
    assert capfd.readouterr().err == ""
    assert sum(remarks.values()) == 1
    assert "libpng error" in said_of(remarks)


def test_many_different_remarks_are_counted() -> None:
    with counted_remarks() as remarks:
        for number in range(5):
            os.write(2, b"libpng warning: number %d \x1b[2J\n" % number)
    said = said_of(remarks)
    assert "and 2 other remarks" in said
    assert "\x1b" not in said
