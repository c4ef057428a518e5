import numpy as np
import pytest

from ensemble.evaluation.few_trials import moments_of_f
from ensemble.evaluation.wilson import f_of_proportion, f_slope


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_moments_are_those_of_random_counts(beta: float) -> None:
    proportions, expected = np.array([0.3, 0.8, 0.5]), np.array([3.0, 12.0, 0.4])
    rng = np.random.default_rng(0)
    trials = rng.poisson(expected, size=(200_000, 3))
    hits = rng.binomial(trials, proportions)
    drawn = f_of_proportion(hits / np.maximum(trials, 1), beta)
    mean, variance = moments_of_f(proportions, expected, beta)
    assert mean == pytest.approx(drawn.mean(axis=0), abs=0.003)
    assert variance == pytest.approx(drawn.var(axis=0), rel=0.02, abs=2e-4)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_series_for_many_trials_goes_on_where_the_sum_ends(beta: float) -> None:
    proportions = np.array([0.05, 0.4, 0.9])
    summed, continued = (moments_of_f(proportions, np.full(3, trials), beta) for trials in (59.999, 60.0))
    assert continued[0] == pytest.approx(summed[0], abs=5e-4)
    assert continued[1] == pytest.approx(summed[1], rel=0.1)


def test_no_trial_scores_nothing() -> None:
    mean, variance = moments_of_f(np.array([0.7]), np.array([0.0]), 1.0)
    assert mean.tolist() == [0.0]
    assert variance.tolist() == [0.0]


def test_on_many_rows_the_score_is_that_of_the_population() -> None:
    proportions = np.array([0.2, 0.6])
    mean, variance = moments_of_f(proportions, np.full(2, 1e9), 1.0)
    assert mean == pytest.approx(f_of_proportion(proportions, 1.0), abs=1e-8)
    assert variance == pytest.approx(np.square(f_slope(proportions, 1.0)) * proportions * (1 - proportions) / 1e9)


def test_a_mean_over_rows_has_no_bias() -> None:
    mean, variance = moments_of_f(np.array([0.3]), np.array([7.0]), 0.0)
    assert mean.tolist() == [0.3]
    assert variance == pytest.approx([0.03])
