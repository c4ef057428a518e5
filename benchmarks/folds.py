"""How even are the folds, and how long do they take: ours, iterative-stratification's and scikit-learn's.

::

    python benchmarks/folds.py DIR... [--labels FILE] [--groups FILE] [--folds 3 5 10]

DIR is a folder with ``train_labels.csv`` (or ``labels.csv``) and ``train_groups.csv`` (or ``groups.csv``); ``--labels``
and ``--groups`` name other files in it. Every set is divided by group, then image by image. Lower is better everywhere;
numbers are per cent of an even share (see ``ensemble.folds.Imbalance``), "empty" is the number of (class, fold) cells
without a positive. The last columns count the seven measures in which ours is better and worse than the peer, at the
precision shown.

Peers: ``MultilabelStratifiedKFold`` (iterative-stratification; it knows no groups); ``StratifiedGroupKFold``
(scikit-learn; one class a row) with the row's label combination, or its rarest positive label, as the class. Image by
image each image is its own group, for which scikit-learn's tool is ``StratifiedKFold``. All shuffle with seed 0.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.field_values import number_column
from ensemble.folds import measure_imbalance, stratified_group_folds
from ensemble.folds.features import combinations_of
from ensemble.tables import read_table

Split = Callable[[], NDArray[np.int64]]
SCALE = np.array([100.0] * 6 + [1.0])
COLUMNS = ("class max", "mean", "comb. max", "mean", "size max", "mean", "empty")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--labels", help="the label table, if it is not train_labels.csv or labels.csv")
    parser.add_argument("--groups", help="the group table, if it is not train_groups.csv or groups.csv")
    parser.add_argument("--folds", nargs="+", type=int, default=[3, 5, 10], metavar="K")
    args = parser.parse_args()
    head = "".join(f"{name:>11}" for name in COLUMNS)
    for folder in args.folders:
        labels_file = find(folder, args.labels, "labels.csv")
        labels, groups = read(labels_file, find(folder, args.groups, "groups.csv"))
        shape = f"{len(labels):,} images, {len(np.unique(groups)):,} groups, {labels.shape[1]} classes"
        print(f"\n{folder.name}/{labels_file.name}: {shape}")
        print(f"{'':34}{head}{'seconds':>10}{'better':>8}{'worse':>7}")
        for by in (groups, None):
            for n_folds in args.folds:
                show(labels, by, n_folds)


def find(folder: Path, stated: str | None, name: str) -> Path:
    candidates = [stated] if stated else [f"train_{name}", name]
    return next((folder / one for one in candidates if (folder / one).exists()), folder / candidates[0])


def read(labels_file: Path, groups_file: Path) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    table, group_table = read_table(labels_file), read_table(groups_file)
    labels = np.stack([number_column(table, name) for name in table.header[1:]], axis=1)
    group_of = dict(zip(*(group_table.column(name).tolist() for name in group_table.header[:2]), strict=True))
    return labels, np.array([group_of[name] for name in table.column(table.header[0]).tolist()])


def show(labels: NDArray[np.float64], groups: NDArray[np.str_] | None, n_folds: int) -> None:
    ours: NDArray[np.float64] | None = None
    for name, split in methods(labels, groups, n_folds):
        start = time.perf_counter()
        folds = split()
        seconds = time.perf_counter() - start
        measured = np.array(astuple(measure_imbalance(labels, folds, groups=groups))) * SCALE
        print(line(f"K={n_folds:<3} {name}", measured, seconds, ours))
        ours = measured if ours is None else ours


def line(name: str, measured: NDArray[np.float64], seconds: float, ours: NDArray[np.float64] | None) -> str:
    shown = np.round(measured, 1)
    numbers = "".join(f"{value:11.1f}" for value in shown[:6]) + f"{shown[6]:11.0f}"
    text = f"{name:34}{numbers}{seconds:10.2f}"
    if ours is None:
        return text
    return f"{text}{np.count_nonzero(np.round(ours, 1) < shown):8}{np.count_nonzero(np.round(ours, 1) > shown):7}"


def methods(labels: NDArray[np.float64], groups: NDArray[np.str_] | None, n_folds: int) -> Iterator[tuple[str, Split]]:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    options = {"n_splits": n_folds, "shuffle": True, "random_state": 0}
    combination, rarest = combinations_of(labels), rarest_label(labels)
    where = "groups" if groups is not None else "images"
    yield f"{where} ours", lambda: stratified_group_folds(labels, groups, n_folds=n_folds)
    if groups is None:
        yield f"{where} MultilabelStratified", lambda: folds_of(MultilabelStratifiedKFold(**options), labels)
        yield f"{where} StratifiedKFold, set", lambda: folds_of(StratifiedKFold(**options), combination)
        yield f"{where} StratifiedKFold, rarest", lambda: folds_of(StratifiedKFold(**options), rarest)
    else:
        yield f"{where} StratifiedGroup, set", lambda: folds_of(StratifiedGroupKFold(**options), combination, groups)
        yield f"{where} StratifiedGroup, rarest", lambda: folds_of(StratifiedGroupKFold(**options), rarest, groups)


def rarest_label(labels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shape (N,): each row's rarest positive class, C for a row without one."""
    rarest = np.full(len(labels), labels.shape[1])
    for column in np.argsort(-np.nansum(labels, axis=0), kind="stable"):
        rarest[labels[:, column] == 1] = column
    return rarest


def folds_of(splitter: object, classes: NDArray, groups: NDArray | None = None) -> NDArray[np.int64]:
    folds = np.empty(len(classes), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer rows than folds, which is what we measure
        for fold, (_, held_out) in enumerate(splitter.split(classes, classes, groups)):
            folds[held_out] = fold
    return folds


if __name__ == "__main__":
    main()
