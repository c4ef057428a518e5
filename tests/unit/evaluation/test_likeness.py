import math

import numpy as np
import pytest

from ensemble.evaluation.likeness import disagreements, error_correlations

N = 200


def labels_and_scores() -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    labels = (rng.random((N, 2)) < 0.4).astype(float)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels, [rng.random((N, 2)) for _ in range(3)]


def test_correlations_are_pearsons_of_the_errors_on_labelled_rows() -> None:
    labels, scores = labels_and_scores()
    found = error_correlations(labels, scores)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        by_class = []
        for column in range(2):
            rows = ~np.isnan(labels[:, column])
            errors = [scores[member][rows, column] - labels[rows, column] for member in (a, b)]
            by_class.append(np.corrcoef(*errors)[0, 1])
        assert found[a, b] == pytest.approx(np.mean(by_class), abs=1e-12)
        assert found[b, a] == found[a, b]


def test_a_member_errs_like_itself_and_against_its_opposite() -> None:
    labels = np.tile([[0.0], [1.0]], (50, 1))
    right = np.where(labels == 1, 0.9, 0.2)
    assert error_correlations(labels, [right, right]) == pytest.approx(np.ones((2, 2)))
    assert disagreements(labels, [right > 0.5, right > 0.5]).tolist() == [[0, 0], [0, 0]]
    mirrored = 2 * labels - right
    assert error_correlations(labels, [right, mirrored])[0, 1] == pytest.approx(-1.0)


def test_errors_that_do_not_vary_have_no_correlation() -> None:
    labels = np.column_stack([np.zeros(4), [0.0, 1.0, 0.0, 1.0], np.full(4, math.nan)])
    constant, varying = (
        np.full((4, 3), 0.3),
        np.array([[0.1, 0.2, 0.3], [0.2, 0.5, 0.6], [0.4, 0.1, 0.1], [0.3, 0.9, 0]]),
    )
    found = error_correlations(labels, [constant, varying])
    # Class 0: the first member's errors are all 0.3. Class 2 has no labels. Class 1 is left.
    expected = np.corrcoef(constant[:, 1] - labels[:, 1], varying[:, 1] - labels[:, 1])[0, 1]
    assert found[0, 1] == pytest.approx(expected)
    assert math.isnan(error_correlations(labels[:, :1], [constant[:, :1], varying[:, :1]])[0, 1])
    assert math.isnan(error_correlations(labels[:, 2:], [constant[:, 2:], varying[:, 2:]])[0, 1])


def test_disagreement_is_the_share_of_labelled_cells() -> None:
    labels, scores = labels_and_scores()
    decisions = [score > 0.6 for score in scores]
    found = disagreements(labels, decisions)
    labelled = ~np.isnan(labels)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        assert found[a, b] == pytest.approx((decisions[a] != decisions[b])[labelled].mean())
    assert math.isnan(disagreements(np.full((3, 1), math.nan), [np.ones((3, 1), bool)] * 2)[0, 1])
