"""One stored file of every format version must stay readable: users keep their runs."""

from pathlib import Path

import numpy as np

from ensemble.folds import read_folds
from ensemble.predictions import read_predictions
from ensemble.runs import DatasetRuns

STORED = Path(__file__).parents[1] / "data" / "v1"
IDS = ["007", "NA", "a/b.png", "ü"]


def test_prediction_table_version_1() -> None:
    table = read_predictions(STORED / "oof.parquet")
    assert table.image_ids.tolist() == IDS
    assert table.class_names == ("class1", "Pleural effusion")
    assert table.values.tolist() == [[0.5, -1.25], [3.75, 0.0], [-20.0, 88.5], [float(np.float32(1e-3)), 2.0]]
    assert table.folds is not None
    assert table.folds.tolist() == [0, 1, 1, 0]
    assert (table.scale, dict(table.notes)) == ("logits", {"member": "cnn2", "split": "oof"})


def test_fold_file_version_1() -> None:
    stored = read_folds(DatasetRuns(STORED))
    assert stored.image_ids.tolist() == IDS
    assert stored.groups is not None
    assert stored.groups.tolist() == ["p1", "p2", "p2", "p1"]
    assert stored.folds.tolist() == [0, 1, 1, 0]
    assert (stored.n_folds, stored.fold_seed, stored.source, stored.holdout_in_folds) == (2, 0, "made", False)
