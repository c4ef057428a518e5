import threading
from unittest import mock

import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.thresholds import exact_thresholds
from ensemble.thresholds.columns import COLUMNS_AT_ONCE, MOST_THREADS, solve_columns, usable_cores

RNG = np.random.default_rng(0)
N_CLASSES = 2 * COLUMNS_AT_ONCE + 3
SCORES = RNG.random((2500, N_CLASSES)).astype(np.float32)
LABELS = np.where(RNG.random(SCORES.shape) < 0.2, np.nan, RNG.random(SCORES.shape) < SCORES)


def with_cores(cores: int, *, worth: int = 0) -> "mock._patch_pass_arg[object]":
    patched = {"usable_cores": lambda: cores, "WORTH_THREADS": worth}
    return mock.patch.multiple("ensemble.thresholds.columns", **patched)


def test_the_number_of_threads_changes_nothing() -> None:
    results = []
    for cores in (1, 2, 50):
        with with_cores(cores):
            results.append(exact_thresholds(LABELS, SCORES))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_small_tables_are_solved_in_this_thread_large_ones_in_a_pool() -> None:
    def thread_is_main(*_: object) -> float:
        return float(threading.current_thread() is threading.main_thread())

    with with_cores(2, worth=LABELS.size + 1):
        assert solve_columns(LABELS, SCORES, thread_is_main).all()
    with with_cores(2, worth=LABELS.size):
        assert not solve_columns(LABELS, SCORES, thread_is_main).any()


def test_classes_get_their_labelled_rows_in_order() -> None:
    seen = []

    def remember(scores: np.ndarray, positive: np.ndarray) -> float:
        seen.append((scores, positive))
        return float(len(seen))

    assert solve_columns(LABELS, SCORES, remember).tolist() == list(range(1, N_CLASSES + 1))
    for column, (scores, positive) in enumerate(seen):
        labelled = ~np.isnan(LABELS[:, column])
        assert scores.flags.c_contiguous
        assert np.array_equal(scores, SCORES[labelled, column])
        assert np.array_equal(positive, LABELS[labelled, column] == 1)


def test_layout_and_type_change_nothing() -> None:
    expected = exact_thresholds(LABELS, SCORES)
    for labels in (np.asfortranarray(LABELS), LABELS.astype(np.float32), LABELS[::-1]):
        scores = SCORES[::-1] if labels.strides[0] < 0 else np.asfortranarray(SCORES)
        assert np.array_equal(exact_thresholds(labels, scores), expected)
    assert np.array_equal(exact_thresholds(LABELS, SCORES.astype(np.float64)), expected)


def test_minus_zero_is_zero() -> None:
    labels, scores = [[0], [1], [1]], np.array([[-0.0], [0.0], [0.5]])
    assert exact_thresholds(labels, scores).tolist() == exact_thresholds(labels, np.abs(scores)).tolist() == [0.0]
    assert exact_thresholds([[0], [1]], [[-0.0], [0.5]]).tolist() == [0.25]


@pytest.mark.parametrize("cores", [1, 2])
def test_wrong_values_are_named_with_their_place(cores: int) -> None:
    labels, scores = LABELS.copy(), SCORES.copy()
    labels[7, -1] = 0.5
    with with_cores(cores), pytest.raises(ArrayError, match=r"labels: .* got 0.5 at \[7, 18\]$"):
        exact_thresholds(labels, scores)
    scores[9, 3] = np.nan
    with with_cores(cores), pytest.raises(ArrayError, match=r"probabilities: .* got nan at \[9, 3\]\. Logits"):
        exact_thresholds(LABELS, scores)
    whole = np.full((7, 1), 2, np.uint8)
    with with_cores(cores), pytest.raises(ArrayError, match=r"labels: .* got 2.0 at \[0, 0\], .* \(\+2 more\)"):
        exact_thresholds(whole, np.zeros((7, 1)))


def test_tables_without_rows_or_classes() -> None:
    assert exact_thresholds(np.zeros((0, 2)), np.zeros((0, 2))).tolist() == [2.0, 2.0]
    assert exact_thresholds(np.zeros((3, 0)), np.zeros((3, 0))).shape == (0,)


def test_there_is_a_core_and_threads_are_bounded() -> None:
    assert usable_cores() >= 1
    assert 2 <= MOST_THREADS <= 16
