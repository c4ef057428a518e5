"""A dataset of six images in a folder, with one thing wrong, and the command that looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bad_inputs import Case
from PIL import Image

TRAIN, HOLDOUT, TEMPLATE, YAML = "train_labels.csv", "val_labels.csv", "sample_submission.csv", "dataset.yaml"
LABELS = "id,one,two\na,1,0\nb,0,1\nc,0,0\n"
TABLES: Mapping[str, str] = {
    TRAIN: LABELS,
    HOLDOUT: "id,one,two\nd,1,1\n",
    TEMPLATE: "id,one,two\ne,0,0\nf,0,0\n",
    YAML: "n_folds: 2\n",  # of three images, five cannot be made
}
FINE = "6 images found"


def write_dataset(
    folder: Path, changes: Mapping[str, str | bytes | None], images: Sequence[str] = tuple("abcdef")
) -> Path:
    """A dataset of six grey images, its tables changed; None takes one out."""
    data = folder / "data"
    (data / "images").mkdir(parents=True)
    for name, content in {**TABLES, **changes}.items():
        if content is not None:
            (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for place, name in enumerate(images):
        path = data / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20 * place + 10).save(path)
    return data


def _check(folder: Path, changes: Mapping[str, str | bytes | None], images: Sequence[str]) -> list[str]:
    write_dataset(folder, changes, images)
    return ["explore", "data", "--check"]


def case(
    name: str, expect: str, changes: Mapping[str, str | bytes | None], *, images: str = "abcdef", exit_code: int = 2
) -> Case:
    """``explore --check`` on a dataset whose files were changed; ``images``: a letter each, or names with spaces."""
    return Case(
        name,
        partial(_check, changes=changes, images=images.split() if " " in images else list(images)),
        expect,
        exit_code,
    )


def train(name: str, expect: str, content: str | bytes, *, exit_code: int = 2) -> Case:
    """Likewise, with other training labels."""
    return case(name, expect, {TRAIN: content}, exit_code=exit_code)


def right(name: str, content: str | bytes) -> Case:
    """Likewise, where nothing is wrong."""
    return train(f"read right: {name}", FINE, content, exit_code=0)
