import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.arrays import ArrayError
from ensemble.metrics import macro_f1
from ensemble.oracle import oracle_macro_f1, oracle_thresholds


def expected_f1(column: NDArray[np.float64], threshold: float) -> float:
    selected = column >= threshold
    return float(2.0 * column[selected].sum() / (selected.sum() + column.sum()))


@pytest.mark.parametrize("seed", range(20))
def test_no_other_threshold_has_a_higher_expected_f1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.choice([0.0, 0.1, 0.3, 0.5, 0.9, 1.0], (30, 2)) if seed % 2 else rng.beta(0.4, 0.8, (30, 2))
    for column, threshold in zip(probabilities.T, oracle_thresholds(probabilities), strict=True):
        best = max(expected_f1(column, candidate) for candidate in np.unique(column))
        assert expected_f1(column, threshold) == pytest.approx(best)


def test_the_best_threshold_is_half_the_best_f1() -> None:
    column = np.random.default_rng(0).beta(0.5, 1.0, (4000, 1))
    (threshold,) = oracle_thresholds(column)
    assert threshold == pytest.approx(expected_f1(column[:, 0], threshold) / 2, abs=2e-3)


def test_no_other_rule_scores_higher_where_labels_follow_the_probabilities() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.beta(0.4, 0.8, (20_000, 3))
    labels = (rng.random(probabilities.shape) < probabilities).astype(float)
    best = oracle_macro_f1(labels, probabilities)
    for shift in (-0.15, 0.15):
        assert best > macro_f1(labels, probabilities >= oracle_thresholds(probabilities) + shift)
    assert best > oracle_macro_f1(labels, np.clip(probabilities + rng.normal(0, 0.1, probabilities.shape), 0, 1))


def test_certain_labels_are_scored_without_an_error() -> None:
    labels = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert oracle_macro_f1(labels, labels) == 1.0


def test_a_class_that_cannot_occur_is_never_positive() -> None:
    np.testing.assert_array_equal(oracle_thresholds(np.array([[0.0, 0.4], [0.0, 0.8]])), [2.0, 0.4])


def test_rows_without_a_label_do_not_count() -> None:
    labels = np.array([[1.0], [0.0], [np.nan]])
    probabilities = np.array([[0.9], [0.1], [0.9]])
    assert oracle_macro_f1(labels, probabilities) == 1.0


def test_the_threshold_is_the_best_of_the_labelled_rows() -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.beta(0.4, 0.8, (400, 1))
    labels = (rng.random(probabilities.shape) < probabilities).astype(float)
    unlabelled = np.full((800, 1), np.nan)
    longer = np.concatenate([labels, unlabelled]), np.concatenate([probabilities, np.full((800, 1), 0.95)])
    assert oracle_macro_f1(*longer) == oracle_macro_f1(labels, probabilities)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ArrayError, match=r"probabilities: expected the labels' shape \(3, 2\) .*, got \(2, 2\)"):
        oracle_macro_f1(np.zeros((3, 2)), np.zeros((2, 2)))


def test_probabilities_outside_0_and_1_are_refused() -> None:
    with pytest.raises(ArrayError, match="expected numbers from 0 to 1"):
        oracle_thresholds(np.array([[1.5]]))
