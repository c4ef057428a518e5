import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.arrays import ArrayError
from ensemble.evaluation import f1_intervals, population_interval, prediction_interval
from ensemble.evaluation.intervals import CHOICE, student_quantile
from ensemble.evaluation.wilson import f_of_proportion, wilson_limits
from ensemble.metric import METRIC_NAMES, Metric
from ensemble.metrics import class_f1
from ensemble.results import Interval

METRICS = [Metric(name) for name in METRIC_NAMES] + [Metric("macro_fbeta", beta=2.0)]


def simulated(
    seed: int, *, n_groups: int = 40, spread: float = 0.0, n_classes: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Labels, decisions and groups of 10; ``spread``: by how much rates differ between groups."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(n_groups), 10)
    shape = (len(owners), n_classes)
    effect = spread * rng.standard_normal((n_groups, n_classes))[owners]
    labels = rng.standard_normal(shape) + effect > 1.3
    found = rng.standard_normal(shape) + spread * rng.standard_normal((n_groups, n_classes))[owners] > -0.5
    return labels.astype(np.float64), (labels & found) | (rng.random(shape) < 0.03), owners


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_interval_contains_the_score_and_that_of_test_rows_is_wider(metric: Metric) -> None:
    labels, decisions, groups = simulated(0)
    whole = population_interval(metric, labels, decisions, groups=groups)
    test = prediction_interval(metric, labels, decisions, groups=groups, test_rows=400)
    assert whole.point == test.point == pytest.approx(metric.score(labels, decisions))
    assert 0 < test.low < whole.low < whole.point < whole.high < test.high < 1


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_order_of_rows_and_the_names_of_groups_do_not_matter(metric: Metric) -> None:
    labels, decisions, groups = simulated(1, spread=0.5)
    order = np.random.default_rng(0).permutation(len(labels))
    renamed = np.array([f"patient {999 - number}" for number in groups[order]])
    once = population_interval(metric, labels, decisions, groups=groups)
    again = population_interval(metric, labels[order], decisions[order], groups=renamed)
    assert (again.low, again.high) == pytest.approx((once.low, once.high), abs=1e-12)
    assert once == population_interval(metric, labels, decisions, groups=groups)


def test_one_class_has_wilsons_interval() -> None:
    labels = np.array([[1.0]] * 10 + [[0.0]] * 90)
    decisions = np.array([[True]] * 7 + [[False]] * 3 + [[True]] * 4 + [[False]] * 86)
    found = f1_intervals(labels, decisions)
    low, high = wilson_limits(7 / 14, 14, student_quantile(100))
    assert found[0].tolist() == pytest.approx(f_of_proportion(np.array([low, high]), 1.0).tolist())
    micro, macro = (population_interval(Metric(name), labels, decisions) for name in ("micro_f1", "macro_f1"))
    assert micro == macro
    low, high = wilson_limits(7 / 14, 14 / (CHOICE * 1.0), student_quantile(100))
    assert micro.low <= f_of_proportion(low, 1.0)
    assert micro.high >= f_of_proportion(high, 1.0)


def test_rows_of_a_group_that_are_alike_count_once() -> None:
    labels, decisions, _ = simulated(2)
    groups = np.arange(len(labels))
    repeated = f1_intervals(*(np.repeat(one, 4, axis=0) for one in (labels, decisions)), groups=np.repeat(groups, 4))
    assert repeated == pytest.approx(f1_intervals(labels, decisions, groups=groups))


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_groups_that_differ_make_it_wider(metric: Metric) -> None:
    labels, decisions, groups = simulated(3, spread=1.0)
    by_group, by_row = (population_interval(metric, labels, decisions, groups=one) for one in (groups, None))
    assert width(by_group) > 1.2 * width(by_row)


def test_with_many_positives_it_is_the_score_and_standard_errors() -> None:
    labels, decisions, groups = (np.concatenate([part] * 30) for part in simulated(4))
    groups = groups + 40 * np.repeat(np.arange(30), 400)
    units = np.stack(
        [Metric().row_statistics(labels[groups == g], decisions[groups == g]).sum(axis=0) for g in range(40)]
    )
    drawn = np.random.default_rng(0).multinomial(1200, np.full(40, 1 / 40), size=4000) @ units
    error = Metric().from_totals(drawn).std()
    found = population_interval(Metric(), labels, decisions, groups=groups)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.sqrt(CHOICE) * error, rel=0.1)


def test_perfect_decisions_may_be_perfect() -> None:
    labels = simulated(5)[0]
    for metric in METRICS:
        found = population_interval(metric, labels, labels == 1)
        assert found.point == found.high == 1.0
        assert 0.5 < found.low < 1.0
    assert f1_intervals(labels, labels == 1)[:, 1].tolist() == [1.0] * 3


def test_wrong_decisions_may_be_all_wrong() -> None:
    labels = simulated(5)[0]
    found = population_interval(Metric(), labels, np.zeros_like(labels, dtype=bool))
    assert found.point == found.low == 0.0
    assert 0.0 < found.high < 0.2


def test_nothing_is_known_of_a_class_without_positives_and_positive_decisions() -> None:
    labels, decisions, _ = simulated(6)
    labels[:, 1], decisions[:, 1] = 0.0, False
    assert f1_intervals(labels, decisions)[1].tolist() == [0.0, 1.0]
    found = population_interval(Metric(), labels, decisions)
    assert found.high > found.point + 1 / 3


def test_an_unlabelled_class_has_no_interval() -> None:
    labels, decisions, _ = simulated(7)
    labels[:, 1] = np.nan
    found = f1_intervals(labels, decisions)
    assert np.isnan(found).tolist() == [[False, False], [True, True], [False, False]]
    rest = population_interval(Metric(), labels[:, [0, 2]], decisions[:, [0, 2]])
    assert population_interval(Metric(), labels, decisions) == rest


def test_two_groups_say_next_to_nothing() -> None:
    labels, decisions, groups = simulated(8)
    halves = population_interval(Metric(), labels, decisions, groups=groups % 2)
    assert width(halves) > 3 * width(population_interval(Metric(), labels, decisions, groups=groups))


def test_one_group_is_an_error() -> None:
    labels, decisions, groups = simulated(8)
    with pytest.raises(ArrayError, match="at least 2 groups, got 1"):
        population_interval(Metric(), labels, decisions, groups=np.zeros_like(groups))


def test_no_test_rows_are_an_error() -> None:
    labels, decisions, groups = simulated(8)
    with pytest.raises(ArrayError, match="at least one test row and group, got 0 rows"):
        prediction_interval(Metric(), labels, decisions, test_rows=0)
    with pytest.raises(ArrayError, match="got 5 rows, 6 groups"):
        prediction_interval(Metric(), labels, decisions, groups=groups, test_rows=5, test_groups=6)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_endless_test_rows_add_nothing(metric: Metric) -> None:
    labels, decisions, groups = simulated(9)
    whole = population_interval(metric, labels, decisions, groups=groups)
    test = prediction_interval(metric, labels, decisions, groups=groups, test_rows=10**10)
    assert (test.low, test.high) == pytest.approx((whole.low, whole.high), abs=1e-4)


def test_fewer_test_rows_or_groups_scatter_more() -> None:
    labels, decisions, groups = simulated(9, spread=1.0)
    found = [prediction_interval(Metric(), labels, decisions, groups=groups, test_rows=n) for n in (4000, 400, 100)]
    assert width(found[0]) < width(found[1]) < width(found[2])
    few = prediction_interval(Metric(), labels, decisions, groups=groups, test_rows=400, test_groups=10)
    assert few == found[2]


def test_few_test_rows_lower_what_can_be_expected() -> None:
    """Of a class with 0.4 positives among the test rows, F1 is mostly 0/0 = 0, however good the blend."""
    rng = np.random.default_rng(0)
    labels = (rng.random((1000, 6)) < 0.02).astype(np.float64)
    found = prediction_interval(Metric(), labels, labels == 1, test_rows=20)
    assert found.point == 1.0
    assert found.high < 0.8


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_intervals_cover(spread: float) -> None:
    """Of decisions that are given, so CHOICE is to spare; the truth and test rows from many fresh groups."""
    whole, groups = population_of(spread), 30
    truth = Metric().score(*whole[:2])
    inside = np.zeros((100, 2), dtype=bool)
    for seed in range(100):
        labels, decisions, owners = simulated(seed + 100, n_groups=groups, spread=spread)
        test = simulated(seed + 1000, n_groups=groups, spread=spread)[:2]
        population = population_interval(Metric(), labels, decisions, groups=owners)
        prediction = prediction_interval(Metric(), labels, decisions, groups=owners, test_rows=300)
        inside[seed] = contains(population, truth), contains(prediction, Metric().score(*test))
    assert (inside.mean(axis=0) >= 0.93).all()


def test_classes_cover() -> None:
    """Wilson's interval at 5 positives, where a percentile bootstrap covers 0.86."""
    rng = np.random.default_rng(0)
    rate, found, alarm, n = 0.05, 0.6, 0.02, 100
    truth = 2 * rate * found / (rate * found + rate + (1 - rate) * alarm)
    labels = (rng.random((n, 400)) < rate).astype(np.float64)
    decisions = np.where(labels == 1, rng.random((n, 400)) < found, rng.random((n, 400)) < alarm)
    limits = f1_intervals(labels, decisions)
    scores = class_f1(labels, decisions)
    assert ((limits[:, 0] <= scores) & (scores <= limits[:, 1])).all()
    assert 0.93 <= ((limits[:, 0] <= truth) & (truth <= limits[:, 1])).mean() <= 0.985


def population_of(spread: float) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    return simulated(99, n_groups=5000, spread=spread)


def width(interval: Interval) -> float:
    return interval.high - interval.low


def contains(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high
