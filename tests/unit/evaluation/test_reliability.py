import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.evaluation.reliability import reliability
from ensemble.evaluation.wilson import wilson_limits
from ensemble.thresholds.cuts import RankedClass

RNG = np.random.default_rng(0)
SCORES = np.sort(RNG.random(103))
POSITIVE = RNG.random(103) < SCORES


def ranked(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], units: NDArray[np.intp] | None = None
) -> RankedClass:
    return RankedClass(scores, positive, np.arange(len(scores)) if units is None else units)


def test_bins_hold_equally_many_rows_and_their_means() -> None:
    found = reliability(ranked(SCORES, POSITIVE))
    assert sorted(set(found.counts.tolist())) == [10, 11]
    assert found.counts.sum() == 103
    start = 0
    for place, count in enumerate(found.counts.tolist()):
        part = slice(start, start + count)
        assert found.predicted[place] == pytest.approx(SCORES[part].mean())
        assert found.observed[place] == pytest.approx(POSITIVE[part].mean())
        low, high = wilson_limits(POSITIVE[part].mean(), count, 1.959963984540054)
        assert (found.low[place], found.high[place]) == pytest.approx((float(low), float(high)))
        start += count


def test_equal_scores_share_a_bin() -> None:
    scores = np.repeat([0.0, 0.2, 0.9], [70, 20, 10])
    found = reliability(ranked(scores, scores > 0.5))
    assert found.counts.tolist() == [70, 20, 10]
    assert found.predicted.tolist() == pytest.approx([0.0, 0.2, 0.9])
    assert found.observed.tolist() == [0.0, 0.0, 1.0]


def test_rows_of_a_group_that_agree_count_once() -> None:
    scores, positive, units = np.repeat(SCORES, 4), np.repeat(POSITIVE, 4), np.repeat(np.arange(103), 4)
    alone, grouped = reliability(ranked(SCORES, POSITIVE)), reliability(ranked(scores, positive, units))
    assert grouped.observed == pytest.approx(alone.observed)
    assert (grouped.high - grouped.low)[4] == pytest.approx((alone.high - alone.low)[4], rel=0.06)
    assert ((grouped.high - grouped.low) >= 0.99 * (alone.high - alone.low)).all()


def test_where_nothing_varies_a_groups_rows_are_one() -> None:
    found = reliability(ranked(np.full(40, 0.3), np.zeros(40, bool), np.repeat(np.arange(10), 4)))
    assert found.high.tolist() == pytest.approx([float(wilson_limits(0.0, 10, 1.959963984540054)[1])])
