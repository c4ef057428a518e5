import numpy as np
import pytest

from ensemble.arrays import (
    ArrayError,
    checked_decisions,
    checked_labels,
    checked_probabilities,
    label_array,
    probability_array,
)
from ensemble.errors import DataError


def test_labels_may_be_of_any_number_type_and_unlabelled() -> None:
    assert checked_labels([[True], [False]]).tolist() == [[1.0], [0.0]]
    assert np.isnan(checked_labels([[np.nan]])).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0.0], [2.0]], r"expected 0, 1 or NaN \(not labelled\), got 2.0 at \[1, 0\]$"),
        ([0, 1], r"expected shape \(images, classes\), got \(2,\)"),
        ([["0"]], "expected numbers, got an array of type"),
        (np.full((4, 2), 3), r"3.0 at \[2, 0\] \(\+3 more\)"),
    ],
)
def test_other_labels_are_refused(labels: object, message: str) -> None:
    with pytest.raises(ArrayError, match=message):
        checked_labels(labels)  # type: ignore[arg-type]


def test_probabilities_keep_single_precision() -> None:
    assert checked_probabilities(np.zeros((1, 1), np.float32)).dtype == np.float32
    assert checked_probabilities([[0, 1]]).dtype == np.float64


@pytest.mark.parametrize("wrong", [np.nan, -1e-9, 1.0000001, np.inf])
def test_probabilities_lie_in_the_unit_interval(wrong: float) -> None:
    with pytest.raises(ArrayError, match=r"expected numbers from 0 to 1, got .* at \[0, 1\]. Logits become"):
        checked_probabilities([[0.5, wrong]])


def test_shapes_must_agree() -> None:
    with pytest.raises(ArrayError, match=r"expected the labels' shape \(1, 2\) \(images, classes\), got \(1, 1\)"):
        checked_probabilities([[0.5]], (1, 2))
    with pytest.raises(ArrayError, match=r"decisions: expected the labels' shape \(1, 2\)"):
        checked_decisions([[True]], (1, 2))


def test_decisions_are_zero_or_one() -> None:
    assert checked_decisions([[0, 1]], (1, 2)).tolist() == [[False, True]]
    with pytest.raises(ArrayError, match=r"decisions: expected 0 or 1, got 0.5 at \[0, 0\]"):
        checked_decisions([[0.5]], (1, 1))


def test_an_array_error_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(ArrayError, ValueError)
    assert issubclass(ArrayError, DataError)


def test_shapes_can_be_checked_without_reading_the_values() -> None:
    labels = np.full((2, 1), 7, np.uint8)
    assert label_array(labels) is labels
    scores = np.full((2, 1), 7, np.float32)
    assert probability_array(scores, (2, 1)) is scores
    with pytest.raises(ArrayError, match=r"labels: expected shape \(images, classes\), got \(2,\)"):
        label_array([0, 1])
    with pytest.raises(ArrayError, match=r"probabilities: expected the labels' shape \(3, 1\)"):
        probability_array(scores, (3, 1))
