"""Names that become folders, and places that are to be folders."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from ensemble.errors import DataError

RESERVED = frozenset({"cache", "blends", "comparison", "logs", "tuning"})
"""Folders beside the members': no member may be called so."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]*")


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it is fit to be one folder's name.

    Raises:
        DataError: It is not; ``what`` says whose name it was.
    """
    if not _NAME.fullmatch(name) or len(name) > 100:
        raise DataError(
            f"{what} {name!r} cannot be a folder's name: expected up to 100 letters, digits, '_', '-', '+' or '.', "
            "not starting with '.', '-' or '+'"
        )
    if name in RESERVED:
        raise DataError(f"{what} {name!r} is reserved: choose another name than {sorted(RESERVED)}")
    return name


def check_outside(place: Path, dataset: Path, what: str) -> None:
    """Refuse a place for results inside the dataset's folder, whose images and tables are looked for there.

    Raises:
        DataError: It is; ``what`` says which flag named it.
    """
    if place.resolve().is_relative_to(dataset.resolve()):
        raise DataError(
            f"{what} {place}: expected a place outside the dataset's folder {dataset}, which is only ever read. Give "
            "another one, or start the command elsewhere"
        )


def check_folder(folder: Path, what: str) -> None:
    """Refuse a place for results that is a file, or lies below one.

    Raises:
        DataError: It is; ``what`` says which flag named it.
    """
    standing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if standing is not None and not standing.is_dir():
        raise DataError(f"{what} {folder}: expected a folder, or a place for one, but {standing} is a file")


def folder_name(name: str) -> str:
    """What the folder of something called ``name`` is called: ``Schädel 2`` is ``Schadel_2``.

    Accents are left out, every other character that a folder's name shall not have becomes ``_``. Two
    names may become one: whoever writes there has to see whose the folder is.
    """
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return re.sub(r"^[^A-Za-z0-9_]|[^A-Za-z0-9_.+\-]", "_", plain)
