from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ensemble.dataset import Dataset, Split
from ensemble.runs import DatasetRuns

N = 60


@pytest.fixture
def split_of() -> Callable[..., Split]:
    """Makes ``size`` rows with ids from ``first`` on, three to a group."""

    def make(first: int, size: int, *, grouped: bool = True) -> Split:
        numbers = np.arange(first, first + size)
        labels = (np.random.default_rng(first).random((size, 2)) < [0.4, 0.2]).astype(np.float64)
        groups = np.array([f"p{number // 3:03d}" for number in numbers]) if grouped else None
        return Split(np.array([f"{number:04d}" for number in numbers]), labels, groups, np.empty(0, dtype=np.str_))

    return make


@pytest.fixture
def dataset_of(split_of: Callable[..., Split]) -> Callable[..., Dataset]:
    """Makes a dataset of 60 training and 15 holdout rows without images; keywords replace what it holds."""

    def make(*, grouped: bool = True, **facts: object) -> Dataset:
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

    return make


@pytest.fixture
def dataset(dataset_of: Callable[..., Dataset]) -> Dataset:
    return dataset_of()


@pytest.fixture
def paths(tmp_path: Path) -> DatasetRuns:
    return DatasetRuns(tmp_path / "runs" / "demo")
