from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from ensemble.data.images import check_head, read_grey
from ensemble.errors import DataError

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
STORED = (np.arange(30).reshape(6, 5) * 100).astype(np.uint16)


def write(path: Path, pixels: np.ndarray = STORED, bits: int = 12, **elements: object) -> Path:
    """A grey DICOM file; ``elements`` by keyword."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    allocated = 8 * pixels.dtype.itemsize
    usual = {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": pixels.tobytes(),
    }
    for name, value in {**usual, **elements}.items():
        setattr(dataset, name, value)
    dataset["PixelData"].VR = "OB" if allocated == 8 else "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dcm"


def test_stored_bits_fill_sixteen(path):
    expected = np.round(STORED / 4095 * 65535)
    np.testing.assert_array_equal(read_grey(write(path)), expected)
    check_head(path)
    assert read_grey(path).dtype == np.uint16


def test_eight_bits_stay(path):
    pixels = (STORED // 20).astype(np.uint8)
    image = read_grey(write(path, pixels, bits=8))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, pixels)


def test_monochrome1_is_inverted(path):
    image = read_grey(write(path, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(image, 65535 - np.round(STORED / 4095 * 65535))


def test_rescaling_alone_keeps_the_range_and_signs_are_heeded(path):
    plain = read_grey(write(path))
    np.testing.assert_array_equal(read_grey(write(path, RescaleSlope=2, RescaleIntercept=-1024)), plain)
    signed = (STORED.astype(np.int16) - 2048).astype(np.int16)
    np.testing.assert_array_equal(read_grey(write(path, signed, PixelRepresentation=1)), plain)


def test_the_window_is_applied_to_rescaled_values(path):
    image = read_grey(
        write(path, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=1000, RescaleType="HU")
    )
    values = STORED * 2.0 - 1000
    # PS3.3 C.11.2.1.2.1
    share = np.clip((values - 999.5) / 999 + 0.5, 0, 1)
    np.testing.assert_allclose(image, share * 65535, atol=1)
    assert (image.min(), image.max()) == (0, 65535)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"NumberOfFrames": 3}, "expected one image, got 3 frames"),
        ({"Rows": 60_000, "Columns": 60_000}, "expected at most 67,108,864 pixels, its head says 60,000 × 60,000"),
        ({"Rows": 7}, "it cannot be read"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "got PALETTE COLOR"),
        ({"RescaleSlope": -1, "RescaleIntercept": 0}, "expected a RescaleSlope above 0, got -1"),
    ],
)
def test_what_is_not_read_right_is_refused(path, elements, said):
    with pytest.raises(DataError, match=said):
        read_grey(write(path, **elements))


def test_files_of_others():
    assert read_grey(FILES / "CT_small.dcm").shape == (128, 128)
    np.testing.assert_array_equal(read_grey(FILES / "MR_small.dcm"), read_grey(FILES / "MR_small_RLE.dcm"))
    np.testing.assert_array_equal(read_grey(FILES / "MR_small.dcm"), read_grey(FILES / "MR_small_bigendian.dcm"))
    with pytest.raises(DataError, match="deflated as a whole are not read"):
        read_grey(FILES / "image_dfl.dcm")
    for name, said in {"rtplan.dcm": "got RT Plan Storage", "MR_truncated.dcm": "less than expected"}.items():
        with pytest.raises(DataError, match=said):
            read_grey(FILES / name)


def test_without_pydicom_the_extra_is_named(path, monkeypatch):
    write(path)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for reader in (read_grey, check_head):
        with pytest.raises(DataError, match=r"needs pydicom: pip install 'timm-ensemble\[dicom\]'"):
            reader(path)
