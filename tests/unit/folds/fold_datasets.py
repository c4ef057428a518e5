"""A small dataset without images, for tests of the fold file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble.dataset import Dataset, Split

N = 60


def split_of(first: int, size: int, *, grouped: bool = True) -> Split:
    numbers = np.arange(first, first + size)
    rng = np.random.default_rng(first)
    labels = (rng.random((size, 2)) < [0.4, 0.2]).astype(np.float64)
    groups = np.array([f"p{number // 3:03d}" for number in numbers]) if grouped else None
    return Split(np.array([f"{number:04d}" for number in numbers]), labels, groups, np.empty(0, dtype=np.str_))


def dataset_of(*, grouped: bool = True, **facts: object) -> Dataset:
    plain = Dataset(
        name="demo",
        path=Path("data/demo"),
        class_names=("a", "b"),
        train=split_of(0, N, grouped=grouped),
        holdout=split_of(N, 15, grouped=grouped),
        test=None,
        template=None,
        groups_source="groups.csv" if grouped else "no groups: every image counted as independent",
        unused_tables=(),
    )
    return replace(plain, **facts)  # type: ignore[arg-type]
