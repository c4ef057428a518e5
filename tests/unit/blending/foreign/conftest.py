"""A small folder of tables, right in every respect; tests spoil it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.blending import Source, TableFiles, TableOptions, source_of_tables

CLASSES = ("left", "right")
N, N_TEST = 40, 6


@dataclass
class Tables:
    """Folders and what is in them.

    Attributes:
        files: Of the tables.
        ids: Of the labelled rows.
        labels: Shape (N, 2).
        said: What each member says, by name.
    """

    files: TableFiles
    ids: list[str]
    labels: NDArray[np.float64]
    said: dict[str, NDArray[np.float64]]

    def write(
        self, path: Path, ids: Sequence[str], values: NDArray[np.float64], names: Sequence[str] = CLASSES
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", *names])
            writer.writerows([image_id, *map(repr, row)] for image_id, row in zip(ids, values.tolist(), strict=True))
        return path

    def pairs(self, name: str, column: str, values: Sequence[object], ids: Sequence[str] | None = None) -> Path:
        path = self.files.labels.parent / name
        rows = zip(self.ids if ids is None else ids, values, strict=True)
        path.write_text(f"id,{column}\n" + "".join(f"{image_id},{value}\n" for image_id, value in rows))
        return path

    def read(self, options: TableOptions | None = None, **changes: object) -> Source:
        return source_of_tables(replace(self.files, **changes), options)  # type: ignore[arg-type]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    rng = np.random.default_rng(0)
    ids = [f"{number:03d}" for number in range(N)]
    labels = (rng.random((N, 2)) < 0.4).astype(float)
    files = TableFiles(tmp_path / "oof", tmp_path / "labels.csv")
    made = Tables(files, ids, labels, {})
    made.write(files.labels, ids, labels.astype(int))
    for name in ("one", "two"):
        made.said[name] = np.clip(0.5 * labels + 0.25 + 0.1 * rng.standard_normal(labels.shape), 0.01, 0.99)
        made.write(files.oof / f"{name}.csv", ids, made.said[name])
        made.write(tmp_path / "test" / f"{name}.csv", [f"t{n}" for n in range(N_TEST)], rng.random((N_TEST, 2)))
    return made
