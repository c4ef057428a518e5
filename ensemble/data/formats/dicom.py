"""DICOM with one frame, through pydicom: an extra, ``pip install 'timm-ensemble[dicom]'``.

Grey values are rescaled (slope and intercept), put through the file's first window where it has one, and scaled to 16
bits: from the least to the greatest value that its stored bits can mean, or the window's ends. MONOCHROME1 is inverted.
8 bits without window and rescaling stay as they are.

Source: DICOM PS3.3, C.7.6.3.1.2 (photometric interpretation), C.11.1.1.2 (rescaling), C.11.2.1.2 (windows).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from struct import error as struct_error
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ensemble.data.formats.limits import one_image
from ensemble.errors import DataError
from ensemble.unpacked_size import check_size

MAGIC, MAGIC_AT = b"DICM", 128

_GREY, _INVERTED = "MONOCHROME2", "MONOCHROME1"
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_WHITE = 65535
_INSTALL = "pip install 'timm-ensemble[dicom]'"
# What pydicom and its decoders raise on damaged files.
_UNREADABLE = (
    *(AttributeError, ValueError, KeyError, IndexError, TypeError, RuntimeError, NotImplementedError, AssertionError),
    *(OSError, EOFError, ArithmeticError, struct_error, RecursionError, MemoryError),
)


def check_dicom(path: Path, stream: BinaryIO) -> None:
    """Look at the head of a file, without its pixels.

    Raises:
        DataError: pydicom is missing, or the file is damaged or none that is read right.
    """
    with _damage_named(path):
        _check(path, _read(path, stream, head_only=True))


def decode_dicom(path: Path, content: bytes) -> NDArray[Any]:
    """Read an image.

    Args:
        path: The file, for messages.
        content: Its bytes.

    Returns:
        Shape (H, W), uint8 or uint16, black 0; or (H, W, 3): blue, green, red.

    Raises:
        DataError: As ``check_dicom``.
    """
    with _damage_named(path):
        dataset = _read(path, BytesIO(content), head_only=False)
        _check(path, dataset)
        if "PixelData" not in dataset:
            raise DataError(f"{path}: expected a DICOM image, but there are no pixels in it")
        pixels = dataset.pixel_array
        if pixels.ndim == 3:
            return np.ascontiguousarray(pixels[:, :, ::-1])
        grey = _scaled(dataset, pixels)
        return np.invert(grey) if dataset.PhotometricInterpretation == _INVERTED else grey


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        hint = f". Its compression may need more than pydicom: {_INSTALL}" if "plugins" in said else ""
        raise DataError(f"{path}: expected a DICOM image, but it cannot be read ({said}){hint}") from error


def _read(path: Path, stream: BinaryIO, *, head_only: bool) -> Any:
    """The data set; one whose whole content is deflated is refused, for it can unpack to anything."""
    try:
        import pydicom  # noqa: PLC0415 - an extra
        from pydicom.filereader import read_file_meta_info  # noqa: PLC0415
    except ImportError as error:
        raise DataError(f"{path} is a DICOM file, and reading those needs pydicom: {_INSTALL}") from error
    if read_file_meta_info(path).get("TransferSyntaxUID") == _DEFLATED:
        raise DataError(f"{path}: DICOM files that are deflated as a whole are not read. Save it in another way")
    return pydicom.dcmread(stream, stop_before_pixels=head_only)


def _check(path: Path, dataset: Any) -> None:
    """Refuse what is too large, several images, or grey by a table of its own."""
    if "Rows" not in dataset or "Columns" not in dataset:
        raise DataError(f"{path}: expected a DICOM image, got {_kind(dataset)}, in which there is none")
    one_image(path, int(dataset.get("NumberOfFrames") or 1), what="frames")
    check_size(path, int(dataset.Rows), int(dataset.Columns))
    kind, stored = str(dataset.get("PhotometricInterpretation")), int(dataset.BitsStored)
    if kind not in (_GREY, _INVERTED, *_COLOURS):
        raise DataError(f"{path}: expected DICOM in grey (MONOCHROME1 or 2) or colour, got {kind}. Save it as PNG")
    if kind in _COLOURS and stored != int(dataset.BitsAllocated):
        raise DataError(f"{path}: expected colours of 8 or 16 bits, got {stored} bits of {dataset.BitsAllocated}")
    if tables := [name for name in _TABLES if name in dataset]:
        raise DataError(
            f"{path}: its grey values go through a table ({', '.join(tables)}), which is not read. Apply it, and save "
            "the result as 16-bit PNG"
        )
    if float(dataset.get("RescaleSlope") or 1) <= 0:
        raise DataError(f"{path}: expected a RescaleSlope above 0, got {dataset.RescaleSlope}")


def _kind(dataset: Any) -> str:
    uid = dataset.get("SOPClassUID")
    return str(uid.name) if uid is not None else "a file of no stated class"


def _scaled(dataset: Any, stored: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Grey values from black to white, MONOCHROME1 not yet inverted.

    Args:
        dataset: The file's head.
        stored: Shape (H, W), as they are in the file.
    """
    from pydicom.pixels.processing import apply_rescale, apply_windowing  # noqa: PLC0415 - an extra

    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    if bits == 8 and not signed and (slope, intercept) == (1, 0) and "WindowCenter" not in dataset:
        return np.asarray(stored, np.uint8)
    # A window's result fills the same range as the values that go into it.
    values = apply_windowing(apply_rescale(stored, dataset), dataset).astype(np.float64)
    share = (values - (low * slope + intercept)) / ((high - low) * slope)
    return np.asarray(np.round(np.clip(share, 0, 1) * _WHITE), np.uint16)
