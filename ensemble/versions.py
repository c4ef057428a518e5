"""Format versions of the files that this package writes: known, or refused by name, never misread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble.errors import ArtefactError

UPDATE = "Update the package (pip install --upgrade timm-ensemble), or read the file with the release that wrote it"


def check_version(path: Path, content: Mapping[str, Any], *, what: str, reads: int) -> None:
    """Refuse a file of a format version that this release does not know.

    Args:
        path: The file, for messages.
        content: What it says of itself; ``version`` is looked at.
        what: What the file should be, e.g. ``"fold file"``.
        reads: The version that is written now. Versions count from 1, and all of them up to this one are read.

    Raises:
        ArtefactError: It states no version, or one that is not known; says which, and what to do.
    """
    found = content.get("version")
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        stated = "none" if found is None else repr(found)
        raise ArtefactError(
            f"{path}: expected a {what} that states its format version (version: {reads}), got {stated}: the file is "
            "damaged, or something else"
        )
    if found > reads:
        raise ArtefactError(
            f"{path}: {what} of format version {found}, written by a later release; this release reads up to "
            f"{reads}. {UPDATE}"
        )
