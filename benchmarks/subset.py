"""A part of a dataset, by group, as a dataset of its own; for benchmarks that train on fewer rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ensemble.dataset import read_dataset
from ensemble.files import write_text


def write_subset(source: Path, target: Path, *, rows: int, n_folds: int, seed: int) -> int:
    """Copy whole groups, drawn at random, until ``rows`` training rows are reached; neither holdout nor test.

    Args:
        source: A dataset with groups, which is only read.
        target: The new dataset's folder.
        rows: At least so many, if there are.
        n_folds: Of the new dataset.
        seed: Of the choice of groups, and of the folds.

    Returns:
        How many rows were copied.
    """
    dataset = read_dataset(source)
    train = dataset.train
    assert train.groups is not None, f"{source}: expected groups"
    assert train.labels is not None, f"{source}: expected labels"
    order = np.random.default_rng(seed).permutation(np.unique(train.groups))
    sizes = np.array([(train.groups == group).sum() for group in order])
    chosen = np.isin(train.groups, order[: int(np.searchsorted(sizes.cumsum(), rows)) + 1])
    (target / "images").mkdir(parents=True)
    for image_id, file in zip(train.image_ids[chosen], train.image_files[chosen], strict=True):
        shutil.copyfile(source / file, target / "images" / f"{image_id}{Path(file).suffix}")
    ids, labels = train.image_ids[chosen], train.labels[chosen].astype(int)
    table = [f"{image_id},{','.join(map(str, row))}" for image_id, row in zip(ids, labels, strict=True)]
    write_text(target / "train_labels.csv", "\n".join([f"id,{','.join(dataset.class_names)}", *table, ""]))
    groups = [f"{image_id},{group}" for image_id, group in zip(ids, train.groups[chosen], strict=True)]
    write_text(target / "train_groups.csv", "\n".join(["id,group", *groups, ""]))
    write_text(target / "dataset.yaml", f"n_folds: {n_folds}\nfold_seed: {seed}\n")
    return int(chosen.sum())
