import numpy as np
import pytest

from ensemble.metrics import macro_f1
from ensemble.thresholds import HalvesThresholds, decide, exact_thresholds
from ensemble.thresholds.cuts import rank_classes
from ensemble.thresholds.halves import stratified_halves


def test_groups_stay_whole_and_positive_ones_are_divided_evenly() -> None:
    rng = np.random.default_rng(0)
    units = rng.integers(0, 40, 200)
    positive = np.isin(units, [3, 5, 7, 11]) & (rng.random(200) < 0.8)
    halves = stratified_halves(positive, units, 10, rng)
    assert len(np.unique(halves, axis=0)) == 10
    for half in halves:
        assert not set(units[half]) & set(units[~half])
        assert len(set(units[half & positive])) == len(set(units[~half & positive])) == 2
        assert abs(len(set(units[half])) - len(set(units)) / 2) <= 1


def test_a_single_positive_unit_keeps_all_rows() -> None:
    rng = np.random.default_rng(0)
    assert stratified_halves(np.arange(6) == 2, np.arange(6), 2, rng).all()
    assert stratified_halves(np.arange(6) < 2, np.array([4, 4, 0, 1, 2, 3]), 2, rng).all()


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_it_is_the_geometric_mean_of_what_exact_thresholds_of_halves_select(beta: float) -> None:
    for seed in range(15):
        rng = np.random.default_rng(seed)
        scores = np.round(rng.random((40, 1)), 1 + seed % 2)
        labels = (rng.random((40, 1)) < 0.2).astype(float)
        labels[:2] = 1
        one = rank_classes(labels, scores, None)[0]
        first = stratified_halves(one.positive, one.units, 3, np.random.default_rng(seed))
        counts = []
        for half in (*first, *~first):
            part = exact_thresholds(one.positive[half, None], one.scores[half, None], beta=beta)[0]
            counts.append(one.selected(part))
        found = HalvesThresholds(3, beta).counts([one], np.random.default_rng(seed))
        assert found == pytest.approx([np.exp(np.mean(np.log(counts)))])


def test_a_class_with_one_positive_gets_its_exact_threshold() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(30) == 12).astype(float)[:, None]
    scores = rng.random((30, 1))
    found = HalvesThresholds().fit(labels, scores, None, np.random.default_rng(0))
    assert np.array_equal(found, exact_thresholds(labels, scores))


def test_chance_comes_from_the_generator_and_more_halves_leave_less_of_it() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 1)) < 0.1).astype(float)
    scores = 1 / (1 + np.exp(-rng.standard_normal((300, 1)) - labels))

    def spread(repeats: int) -> float:
        rule = HalvesThresholds(repeats)
        found = [rule.fit(labels, scores, None, np.random.default_rng(seed))[0] for seed in range(25)]
        again = [rule.fit(labels, scores, None, np.random.default_rng(seed))[0] for seed in range(25)]
        assert found == again
        return float(np.std(found))

    assert 0 < spread(8) < spread(1)


def test_it_promises_less_than_exact() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 8)) < 0.05).astype(float)
    scores = rng.random((200, 8))
    halves = HalvesThresholds().fit(labels, scores, None, np.random.default_rng(0))
    promised = macro_f1(labels, decide(scores, exact_thresholds(labels, scores)))
    assert macro_f1(labels, decide(scores, halves)) < promised - 0.01
