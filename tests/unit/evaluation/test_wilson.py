import numpy as np
import pytest

from ensemble.evaluation.wilson import f_of_proportion, f_slope, wilson_limits


def test_numbers_that_others_have_published() -> None:
    """Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3."""
    low, high = wilson_limits(np.array([81 / 263, 15 / 148, 0 / 20, 1 / 29]), [263, 148, 20, 29], 1.959964)
    assert low.round(4).tolist() == [0.2553, 0.0624, 0.0, 0.0061]
    assert high.round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


def test_limits_solve_the_score_equation() -> None:
    p, n, z = 0.3, 17.5, 2.1
    for limit in wilson_limits(p, n, z):
        assert abs(p - limit) == pytest.approx(z * np.sqrt(limit * (1 - limit) / n))


def test_ends_are_exact_where_all_or_none_are_hits() -> None:
    low, high = wilson_limits(np.array([0.0, 1.0]), [7, 7], 1.96)
    assert low[0] == 0.0
    assert high[1] == 1.0
    assert high[0] == pytest.approx(1.96**2 / (7 + 1.96**2))
    assert low[1] == pytest.approx(7 / (7 + 1.96**2))


def test_no_trial_says_nothing_and_no_step_goes_nowhere() -> None:
    low, high = wilson_limits(np.array([0.0, 0.4]), [0, 9], [1.96, 0.0])
    assert low.tolist() == pytest.approx([0.0, 0.4])
    assert high.tolist() == pytest.approx([1.0, 0.4])


def test_f_of_a_proportion_is_f_of_the_counts() -> None:
    hits, alarms, misses = 7, 4, 2
    assert f_of_proportion(np.array(hits / 13), 1.0) == pytest.approx(2 * hits / (2 * hits + alarms + misses))
    weighted = np.array(hits / (hits + alarms + 4 * misses))
    assert f_of_proportion(weighted, 2.0) == pytest.approx(5 * hits / (5 * hits + alarms + 4 * misses))
    assert f_of_proportion(np.array(0.37), 0.0) == pytest.approx(0.37)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_the_slope_is_the_derivative(beta: float) -> None:
    at, step = np.array([0.1, 0.5, 0.9]), 1e-6
    measured = (f_of_proportion(at + step, beta) - f_of_proportion(at - step, beta)) / (2 * step)
    assert f_slope(at, beta) == pytest.approx(measured, rel=1e-6)
