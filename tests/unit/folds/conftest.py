from __future__ import annotations

from pathlib import Path

import pytest
from fold_datasets import dataset_of

from ensemble.dataset import Dataset
from ensemble.runs import DatasetRuns


@pytest.fixture
def paths(tmp_path: Path) -> DatasetRuns:
    return DatasetRuns(tmp_path / "runs" / "demo")


@pytest.fixture
def dataset() -> Dataset:
    return dataset_of()
