"""``run.json``: the facts of a finished fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ensemble.files import read_json
from ensemble.versions import check_version

RUN_VERSION = 1


def read_run(path: Path) -> dict[str, Any]:
    """Read a ``run.json``.

    Raises:
        ArtefactError: It is missing, damaged or of a later release.
    """
    facts = read_json(path)
    check_version(path, facts, what="run.json", reads=RUN_VERSION)
    return facts
