"""Thresholds for the mean of fold models, and for a given share of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import expit

from ensemble.arrays import ArrayError
from ensemble.evaluation import match_fold_models, match_rates
from ensemble.thresholds import ALL_POSITIVE, NONE_POSITIVE, decide


def fold_models(n_rows: int, *, noise: float = 2.0, seed: int = 0) -> np.ndarray:
    """Five models that see the truth with noise of their own, shape (5, N, 2)."""
    rng = np.random.default_rng(seed)
    truth = rng.normal([-2.0, 0.0], 1.5, (n_rows, 2))
    return expit(truth + rng.normal(0, noise, (5, n_rows, 2)))


def test_the_mean_calls_as_many_as_the_models_do() -> None:
    models = fold_models(5000)
    mean, plain = models.mean(axis=0), np.array([0.8, 0.4])
    said = (models >= plain).mean(axis=(0, 1))
    assert abs(decide(mean, plain).mean(axis=0)[0] - said[0]) > 0.02  # the mean is less extreme: far fewer reach 0.8
    corrected = match_fold_models(plain, models, mean)
    assert np.allclose(decide(mean, corrected).mean(axis=0), said, atol=1 / 5000)
    assert corrected[0] < plain[0]


def test_nothing_is_assumed_of_how_many_are_positive() -> None:
    models = fold_models(4000)
    many = models[:, models[:, :, 1].mean(axis=0) > 0.6]  # only rows that look positive
    corrected = match_fold_models([0.5, 0.5], many, many.mean(axis=0))
    assert decide(many.mean(axis=0), corrected)[:, 1].mean() == pytest.approx((many[:, :, 1] >= 0.5).mean(), abs=1e-3)


def test_one_model_needs_no_correction() -> None:
    models = fold_models(100)[:1]
    assert match_fold_models([0.3, 0.7], models, models[0]).tolist() == [0.3, 0.7]


def test_thresholds_that_select_all_or_none_do_so_still() -> None:
    models = fold_models(50)
    corrected = match_fold_models([ALL_POSITIVE, NONE_POSITIVE], models, models.mean(axis=0))
    assert corrected.tolist() == [ALL_POSITIVE, NONE_POSITIVE]
    assert match_rates([0.5, 0.5], [0.0, 1.0], models[0])[1] == 0.0
    assert not decide(models[0], match_rates([0.0, 0.5], [0.0, 1.0], models[0]))[:, 0].any()


def test_without_rows_the_thresholds_stay() -> None:
    assert match_fold_models([0.2, 0.4], np.zeros((3, 0, 2)), np.zeros((0, 2))).tolist() == [0.2, 0.4]


def test_a_rate_is_matched_and_an_unknown_one_leaves_the_threshold() -> None:
    scores = np.linspace(0.01, 0.99, 200).reshape(100, 2)
    cut = match_rates([0.5, 0.5], [0.13, np.nan], scores)
    assert decide(scores, cut)[:, 0].sum() == 13
    assert cut[1] == 0.5
    assert scores[86, 0] < cut[0] < scores[87, 0]


def test_equal_scores_are_not_torn_apart() -> None:
    scores = np.array([[0.9], [0.5], [0.5], [0.5], [0.1]])
    selected = [int(decide(scores, match_rates([0.7], [rate], scores)).sum()) for rate in (0.2, 0.4, 0.6, 0.8)]
    assert selected == [1, 1, 4, 4]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0, 1))
@example(8806, 8, 0.0625)  # half a row is wanted, and the two highest scores are equal
def test_as_near_as_can_be(seed: int, n_rows: int, rate: float) -> None:
    scores = np.random.default_rng(seed).integers(0, 20, (n_rows, 1)) / 20
    selected = decide(scores, match_rates([0.5], [rate], scores)).sum()
    possible = [(scores >= cut).sum() for cut in [*np.unique(scores), 2.0]]
    assert abs(selected - rate * n_rows) <= min(abs(one - rate * n_rows) for one in possible) + 0.5


def test_shapes_that_do_not_fit() -> None:
    models = fold_models(10)
    with pytest.raises(ArrayError, match=r"fold models: expected shape \(models, 10, 2\), got \(5, 9, 2\)"):
        match_fold_models([0.5, 0.5], models[:, :9], models[0])
    with pytest.raises(ArrayError, match=r"thresholds: expected one for each of 2 classes, got shape \(3,\)"):
        match_rates([0.5, 0.5, 0.5], [0.1, 0.1], models[0])
