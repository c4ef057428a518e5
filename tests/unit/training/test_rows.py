"""Which rows a fold trains on, and which early stopping watches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.data.cache import ImageCache
from ensemble.dataset import Dataset, Split
from ensemble.training.job import FoldData
from ensemble.training.rows import fold_data

N = 60
FILES = np.array([f"{number:03d}.png" for number in range(N)])


def watched_fold(*, dataset_groups: NDArray[np.str_] | None, fold_groups: NDArray[np.str_] | None) -> FoldData:
    labels = (np.random.default_rng(0).random((N, 2)) < [0.4, 0.2]).astype(np.float64)
    train = Split(FILES, labels, dataset_groups, FILES)
    dataset = Dataset("toy", Path(), ("a", "b"), train, None, None, None, "", ())
    cache = ImageCache(Path(), FILES, np.zeros((N, 1, 1), dtype=np.uint8), sha256="")
    return fold_data(dataset, cache, np.arange(N) < 15, groups=fold_groups, inner_fraction=0.25, inner_seed=1)


@pytest.mark.parametrize("known_to_the_dataset", [True, False])
def test_early_stopping_watches_groups_that_are_not_trained_on(known_to_the_dataset: bool) -> None:
    groups = np.array([f"p{number // 5}" for number in range(N)])
    fold = watched_fold(dataset_groups=groups if known_to_the_dataset else None, fold_groups=groups)
    assert fold.inner is not None
    assert not set(groups[fold.inner.index]) & set(groups[fold.training.index])
    rows = np.concatenate([fold.training.index, fold.inner.index, fold.predict["oof"].index])
    assert sorted(rows.tolist()) == list(range(N))


def test_without_groups_a_share_of_the_images_is_watched() -> None:
    fold = watched_fold(dataset_groups=None, fold_groups=None)
    assert fold.inner is not None
    assert 10 <= len(fold.inner) <= 12
