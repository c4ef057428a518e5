"""Which images a fold trains on, watches and predicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.data.cache import ImageCache
from ensemble.data.loaders import ImageRows
from ensemble.dataset import Dataset, Split
from ensemble.training.inner import inner_slice
from ensemble.training.job import FoldData


def fold_data(
    dataset: Dataset,
    cache: ImageCache,
    held_out: NDArray[np.bool_],
    *,
    groups: NDArray[np.str_] | None,
    inner_fraction: float | None,
    inner_seed: int,
) -> FoldData:
    """The rows of one fold.

    Args:
        dataset: Images and labels.
        cache: The decoded images.
        held_out: Shape (N,), over the training rows: the fold that is not trained on.
        groups: Shape (N,), what the folds keep together (a fold file of one's own may have brought it); None: nothing.
        inner_fraction: The share of the other rows that early stopping watches; None without early stopping.
        inner_seed: Which rows these are.

    Raises:
        RecipeError: There are too few groups, or images, for such a share.
    """
    train = _image_rows(dataset, cache, dataset.train)
    inner = np.zeros(len(held_out), dtype=bool)
    if inner_fraction is not None and dataset.train.labels is not None:
        inner = inner_slice(dataset.train.labels, groups, ~held_out, fraction=inner_fraction, seed=inner_seed)
    predict = {"oof": train.subset(held_out)}
    for name, split in (("holdout", dataset.holdout), ("test", dataset.test)):
        if split is not None:
            predict[name] = _image_rows(dataset, cache, split)
    return FoldData(
        training=train.subset(~held_out & ~inner),
        inner=train.subset(inner) if inner.any() else None,
        predict=predict,
    )


def _image_rows(dataset: Dataset, cache: ImageCache, split: Split) -> ImageRows:
    unlabelled = np.full((len(split.image_ids), len(dataset.class_names)), np.nan)
    labels = unlabelled if split.labels is None else split.labels
    return ImageRows(cache, cache.rows_of(split.image_files), labels.astype(np.float32), split.image_ids)
