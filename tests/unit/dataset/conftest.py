from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

TABLES = {
    "train_labels.csv": "id,one,two\na,1,0\nb,0,1\nc,0,0\n",
    "val_labels.csv": "id,one,two\nd,1,1\n",
    "sample_submission.csv": "id,one,two\ne,0,0\nf,0,0\n",
}
IMAGES = tuple(f"images/{name}.png" for name in "abcdef")


@pytest.fixture
def make(tmp_path):
    """Write a small dataset: the tables above, changed by ``tables`` (None takes one out), and empty image files."""

    def _make(tables: Mapping[str, str | None] | None = None, images: Iterable[str] = IMAGES) -> Path:
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        for name, text in {**TABLES, **(tables or {})}.items():
            if text is not None:
                (folder / name).write_text(text)
        for name in images:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return folder

    return _make
