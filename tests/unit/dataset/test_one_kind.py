from __future__ import annotations

import numpy as np

from ensemble.dataset.one_kind import NO_NEGATIVE, NO_POSITIVE, NOT_LABELLED, classes_of_one_kind


def test_each_kind_is_told_from_labelled_rows_alone():
    nan = np.nan
    labels = np.array([[1, nan, 1, 0, 0], [0, nan, nan, nan, 1], [1, nan, 1, 0, nan]])
    assert classes_of_one_kind(labels, ["both", "none", "all", "never", "mixed"]) == {
        NOT_LABELLED: ["none"],
        NO_NEGATIVE: ["all"],
        NO_POSITIVE: ["never"],
    }
    assert classes_of_one_kind(labels[:, :1], ["both"]) == {}
