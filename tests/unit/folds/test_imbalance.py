from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import FoldError
from ensemble.folds import Imbalance, measure_imbalance, rare_classes


def test_by_hand() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 0], [0, 0], [1, 1], [0, 0]], dtype=np.float64)
    folds = np.array([0, 0, 0, 0, 1, 1])
    # class 0: rate 3/6; 2/4 and 1/2 in the folds. Class 1 has one positive row: not measured, but empty in fold 0.
    # combinations 10 (2 rows, all in fold 0) and 00 (3 rows: 2 and 1); 11 has one row. Sizes 4 and 2, even would be 3.
    assert measure_imbalance(labels, folds) == Imbalance(
        class_max=0.0,
        class_mean=0.0,
        combination_max=1.0,
        combination_mean=pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4),
        size_max=pytest.approx(1 / 3),
        size_mean=pytest.approx(1 / 3),
        n_empty=1,
    )


def test_rates_are_among_labelled_rows() -> None:
    labels = np.array([[1], [0], [1], [0], [np.nan], [np.nan]])
    measured = measure_imbalance(labels, np.array([0, 0, 1, 1, 1, 1]))
    assert measured.class_max == 0.0


def test_groups_decide_what_can_be_even() -> None:
    labels = np.array([[1], [1], [0], [0]], dtype=np.float64)
    folds = np.array([0, 0, 1, 1])
    assert measure_imbalance(labels, folds).class_max == 1.0
    assert measure_imbalance(labels, folds, groups=["a", "a", "b", "c"]).class_max == 0.0


def test_refuses_folds_of_other_rows() -> None:
    with pytest.raises(FoldError, match=r"expected one for each of the 2 rows of labels, got shape \(3,\)"):
        measure_imbalance(np.zeros((2, 1)), np.array([0, 1, 1]))


def test_rare_classes_are_named_by_groups_else_images() -> None:
    labels = np.array([[1, 0, np.nan], [1, 0, 1], [1, 1, 0], [0, 1, 0]])
    (one, other) = rare_classes(labels, None, ["common", "rare", "rarer"], 3)
    assert "class 'rare' is positive in only 2 images: with 3 folds at least 1 of them has no positive" in one
    assert "class 'rarer' is positive in only 1 image: with 3 folds at least 2 of them have no positive" in other
    named = rare_classes(labels, ["a", "a", "a", "b"], ["common", "rare", "rarer"], 2)
    assert [sentence.split("'")[1] for sentence in named] == ["common", "rarer"]
    assert "in only 1 group:" in named[0]


def test_no_rare_classes() -> None:
    assert rare_classes(np.ones((4, 1)), None, ["x"], 4) == []


def test_classes_without_a_positive_or_a_label_are_told_apart() -> None:
    labels = np.array([[0, np.nan], [0, np.nan], [np.nan, np.nan]])
    assert rare_classes(labels, ["a", "b", "c"], ["never", "unknown"], 2) == [
        "class 'never' has no positive training row: it cannot be learnt, and its F1 counts as 0",
        "class 'unknown' has no label in any training row: it cannot be learnt, and is left out of every mean",
    ]
