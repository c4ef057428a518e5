"""The start lines, as a user reads them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from rich.console import Console

from ensemble.dataset import Dataset, Split
from ensemble.folds import FoldFile
from ensemble.report.start import print_start

IDS = np.array(["a", "b"])


def lines_of(dataset: Dataset, folds: FoldFile, results: Path, threads: int = 2) -> list[str]:
    stream = io.StringIO()
    precision = SimpleNamespace(name="float32", reason="[so it is]")
    hardware = SimpleNamespace(precision=precision, device="cpu", threads=threads, processes=1)
    print_start(Console(file=stream, width=500), dataset, folds, hardware, results=results)  # type: ignore[arg-type]
    return stream.getvalue().splitlines()


def test_everything_that_was_found_and_decided_is_said() -> None:
    train = Split(IDS, np.array([[1.0, np.nan], [0.0, np.nan]]), np.array(["p", "q"]), IDS)
    unused = ("train_groups.csv", "extra.csv")
    dataset = Dataset("my data", Path(), ("x", "y"), train, None, None, None, "groups.csv", unused)
    folds = FoldFile(IDS, train.groups, np.array([0, 1], np.int16), 2, "", False, 3, "made", "", "groups.csv")
    rest = "and its scores rest on few cases"
    assert lines_of(dataset, folds, Path("runs/my_data")) == [
        "dataset    my data: 2 training images; classes x, y",
        "results    in runs/my_data: the dataset's name is no fit name for a folder",
        "groups     groups.csv",
        f"not used   {'; '.join(dataset.describe_unused())}",
        "folds      2, stratified with seed 3, no group in two of them",
        f"note       class 'x' is positive in only 1 group: with 2 folds at least 1 of them has no positive, {rest}",
        "note       class 'y' has no label in any training row: it cannot be learnt, and is left out of every mean",
        "precision  float32 on cpu, 2 threads: [so it is]",
    ]
    always = replace(train, labels=np.array([[1.0, 1.0], [1.0, np.nan]]))
    lines = lines_of(replace(dataset, train=always, images_without_id=("c.png", "d.png")), folds, Path("runs/my_data"))
    assert "not used   2 images without an id in any table: 'c.png', 'd.png'" in lines
    assert "note       class 'y' has no negative training row: it is called everywhere, its F1 says nothing" in lines
    own = replace(folds, source="mine.csv", fold_seed=None, groups=None)
    plain = replace(dataset, name="d", unused_tables=())
    assert lines_of(plain, own, Path("runs/d"), threads=1)[-1] == "precision  float32 on cpu, 1 thread: [so it is]"
    assert lines_of(plain, own, Path("runs/d"))[:3] == [
        "dataset    d: 2 training images; classes x, y",
        "groups     groups.csv",
        "folds      2, from mine.csv",
    ]
