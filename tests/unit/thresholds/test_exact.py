import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.thresholds import ALL_POSITIVE, NONE_POSITIVE, exact_thresholds, global_threshold


def test_the_threshold_is_the_midpoint_to_the_next_lower_score() -> None:
    assert exact_thresholds([[0], [0], [1], [1]], [[0.1], [0.2], [0.6], [0.9]]) == pytest.approx([0.4])


def test_everything_positive_is_zero_and_nothing_positive_is_two() -> None:
    labels = [[1, 0, np.nan], [1, 0, np.nan]]
    assert exact_thresholds(labels, [[0.3] * 3, [0.6] * 3]).tolist() == [ALL_POSITIVE, NONE_POSITIVE, NONE_POSITIVE]
    assert global_threshold([[0.0], [0.0]], [[0.1], [0.2]]) == NONE_POSITIVE


def test_of_equal_f1_the_fewest_positives() -> None:
    # Cut at 0.9: TP 1, FN 1, F1 2/3. Cut at 0.5: TP 2, FP 2, F1 2/3.
    labels, scores = [[1], [0], [0], [1]], [[0.9], [0.8], [0.7], [0.5]]
    assert exact_thresholds(labels, scores) == pytest.approx([0.85])


def test_unlabelled_rows_are_ignored_also_for_the_midpoint() -> None:
    assert exact_thresholds([[1], [np.nan], [0]], [[0.8], [0.7], [0.2]]) == pytest.approx([0.5])


def test_single_precision_gives_midpoints_in_double() -> None:
    lower, upper = np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(1))
    found = exact_thresholds([[0], [1]], np.array([[lower], [upper]]))
    assert found.dtype == np.float64
    assert float(lower) < found[0] < float(upper)


def test_one_global_threshold_weighs_the_classes() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    scores = np.array([[0.4, 0.1], [0.4, 0.1], [0.1, 0.9], [0.1, 0.3]])
    assert global_threshold(labels, scores) == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([[2]], [[0.5]], "labels: expected 0, 1 or NaN"),
        ([[1]], [[np.nan]], "probabilities: expected numbers from 0 to 1, got nan"),
        ([[1]], [[1.5]], "probabilities: expected numbers from 0 to 1, got 1.5"),
        ([[1], [0]], [[0.5]], r"expected the labels' shape \(2, 1\)"),
        ([1], [0.5], r"expected shape \(images, classes\)"),
    ],
)
def test_unusable_arrays_are_refused(labels: list[object], scores: list[object], message: str) -> None:
    for search in (exact_thresholds, global_threshold):
        with pytest.raises(ArrayError, match=message):
            search(labels, scores)  # type: ignore[arg-type]
