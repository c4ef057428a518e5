import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.evaluation import paired_difference, population_interval
from ensemble.metric import METRIC_NAMES, Metric

RNG = np.random.default_rng(5)
LABELS = (RNG.random((400, 3)) < 0.2).astype(float)
WORSE = (RNG.random((400, 3)) < 0.1) | ((LABELS == 1) & (RNG.random((400, 3)) < 0.5))
BETTER = WORSE | ((LABELS == 1) & (RNG.random((400, 3)) < 0.4))
GROUPS = np.repeat(np.arange(80), 5)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_gain_and_its_error_are_those_of_the_bootstrap(name: str) -> None:
    metric = Metric(name)
    found = paired_difference(metric, LABELS, BETTER, WORSE, groups=GROUPS)
    sums = [metric.row_statistics(LABELS, one).reshape(80, 5, -1).sum(axis=1) for one in (BETTER, WORSE)]
    weights = np.random.default_rng(0).multinomial(80, np.full(80, 1 / 80), size=4000)
    drawn = metric.from_totals(weights @ sums[0]) - metric.from_totals(weights @ sums[1])
    assert found.gain == pytest.approx(metric.score(LABELS, BETTER) - metric.score(LABELS, WORSE))
    assert found.standard_error == pytest.approx(drawn.std(), rel=0.1)
    assert found.high - found.gain == pytest.approx(found.gain - found.low)
    assert found.high - found.gain == pytest.approx(1.99 * found.standard_error, rel=0.001)


def test_turned_round_it_is_the_opposite() -> None:
    one, other = (paired_difference(Metric(), LABELS, *pair) for pair in ((BETTER, WORSE), (WORSE, BETTER)))
    assert other.gain == -one.gain
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))


def test_two_alike_do_not_differ() -> None:
    found = paired_difference(Metric(), LABELS, BETTER, BETTER, groups=GROUPS)
    assert (found.gain, found.standard_error, found.low, found.high) == (0.0, 0.0, 0.0, 0.0)


def test_pairs_know_more_than_two_intervals() -> None:
    found = paired_difference(Metric(), LABELS, BETTER, WORSE, groups=GROUPS)
    alone = [population_interval(Metric(), LABELS, one, groups=GROUPS) for one in (BETTER, WORSE)]
    assert found.low > 0
    assert found.high - found.low < alone[0].high - alone[0].low + alone[1].high - alone[1].low


def test_one_group_is_an_error() -> None:
    with pytest.raises(ArrayError, match="at least 2 groups, got 1"):
        paired_difference(Metric(), LABELS, BETTER, WORSE, groups=np.zeros(400))
