import numpy as np
import pytest

from ensemble.thresholds.cuts import RankedClass, rank_classes


def ranked(scores: list[float], positive: list[int]) -> RankedClass:
    labels = np.array(positive, dtype=float)[:, None]
    return rank_classes(labels, np.array(scores)[:, None], None)[0]


ONE = ranked([0.1, 0.9, 0.4, 0.4, 0.6], [0, 1, 0, 1, 1])


def test_rows_are_ranked_and_unlabelled_ones_left_out() -> None:
    labels = np.array([[1, np.nan], [0, 1], [np.nan, 0]])
    first, second = rank_classes(labels, np.array([[0.2, 0.5], [0.7, 0.1], [0.4, 0.3]]), np.array(["b", "a", "b"]))
    assert first.scores.tolist() == [0.2, 0.7]
    assert first.positive.tolist() == [True, False]
    assert first.units.tolist() == [1, 0]
    assert second.scores.tolist() == [0.1, 0.3]


def test_units_with_a_positive_are_counted_once() -> None:
    labels = np.array([[1.0], [1.0], [0.0], [1.0]])
    one = rank_classes(labels, np.linspace(0, 1, 4)[:, None], np.array(["a", "a", "b", "c"]))[0]
    assert (one.n_positives, one.n_positive_units) == (3, 2)


def test_only_cuts_between_distinct_scores_are_ends() -> None:
    assert ONE.ends.tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(("count", "threshold"), [(0, 0.75), (1, 0.75), (2.4, 0.5), (2.9, 0.5), (3, 0.25), (9, 0.0)])
def test_equal_scores_stay_together(count: float, threshold: float) -> None:
    assert ONE.threshold_selecting(count) == pytest.approx(threshold)


def test_between_two_cuts_lies_a_threshold_between_theirs() -> None:
    one = ranked([0.0, 0.2, 0.6, 0.8], [0, 0, 1, 1])
    assert one.threshold_between(1.0) == one.threshold_selecting(1) == pytest.approx(0.7)
    assert one.threshold_between(1.25) == pytest.approx(0.75 * 0.7 + 0.25 * 0.4)
    assert ONE.threshold_between(2.5) == ONE.threshold_selecting(2.5)  # 0.4 twice
    assert one.threshold_between(3.2) == one.threshold_selecting(3.2)  # the next cut is "all"


def test_f_of_what_is_selected() -> None:
    assert ONE.f_selecting(np.array([2.0, 4.0]), 1.0) == pytest.approx([2 * 2 / 5, 2 * 3 / 7])
    assert ONE.f_selecting(np.array([2.0]), 2.0) == pytest.approx([5 * 2 / (2 + 4 * 3)])
