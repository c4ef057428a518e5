"""Text that people bring: UTF-8, or an error that says what the file is instead."""

from __future__ import annotations

from pathlib import Path

from ensemble.errors import DataError

# What a file begins with, and what it then is. UTF-32's mark begins with UTF-16's, so it comes first.
_KINDS = (
    (b"PK\x03\x04", "a ZIP archive, as Excel's .xlsx is: export the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls): export the sheet as CSV"),
    (b"\x1f\x8b", "compressed by gzip: unpack it"),
    (b"BZh", "compressed by bzip2: unpack it"),
    (b"\xfd7zXZ", "compressed by xz: unpack it"),
    (b"PAR1", "a Parquet file: export it as CSV"),
    (b"%PDF", "a PDF: export the table as CSV"),
    (b"version https://git-lfs.github.com/", "a pointer of Git LFS: fetch the file itself (git lfs pull)"),
)
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_SHOWN = 20  # bytes around one that is not UTF-8
_SAVE = "Save the file as CSV in UTF-8"


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, line ends untouched, without a byte-order mark.

    Raises:
        DataError: The file is missing, cannot be read or is not UTF-8 text; says what it is, where that can be told,
            and the line and the byte that are wrong.
    """
    if path.exists() and not path.is_file():
        what = "folder" if path.is_dir() else "pipe or device, which cannot be read twice"
        raise DataError(f"{path}: the file cannot be read: expected a file, got a {what}")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: the file is missing") from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error.strerror})") from error
    if kind := _other_kind(content):
        raise DataError(f"{path}: expected CSV text in UTF-8, but this is {kind}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(path, content, error.start)) from error
    if (place := text.find("\0")) >= 0:
        raise DataError(_nul(path, text, place))
    return text


def _other_kind(content: bytes) -> str:
    """What the file is, if its first bytes tell that it is no UTF-8 text; else nothing."""
    for start, kind in _KINDS:
        if content.startswith(start):
            return kind
    for start, encoding in _ENCODINGS:
        if content.startswith(start):
            return f"text in {encoding}. {_SAVE}"
    if content[:200].lstrip().lower().startswith(_PAGES):
        return "a web page, perhaps of a login or an error: download the file itself"
    return ""


def _not_utf8(path: Path, content: bytes, place: int) -> str:
    line = content.count(b"\n", 0, place) + 1
    around = content[max(0, place - _SHOWN) : place + _SHOWN].split(b"\n")
    # Windows-1252 gives every byte some letter: what most of such files were meant to say.
    shown = next(part for part in around if not part.isascii()).decode("cp1252", errors="replace").strip("\r")
    return (
        f"{path}, line {line}: expected UTF-8 text, got the byte 0x{content[place]:02x} (in Windows-1252 or Latin-1 "
        f"this would read {shown!r}). {_SAVE}"
    )


def _nul(path: Path, text: str, place: int) -> str:
    what = "UTF-16 without its mark?" if text.count("\0") > len(text) // 4 else "is the file damaged?"
    return f"{path}, line {text.count(chr(10), 0, place) + 1}: expected UTF-8 text, got NUL bytes ({what}). {_SAVE}"
