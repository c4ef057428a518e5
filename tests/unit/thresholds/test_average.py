from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.metric import Metric
from ensemble.metrics import macro_f1
from ensemble.thresholds import AveragedThresholds, Part, decide, exact_thresholds, threshold_rule
from ensemble.thresholds.cuts import RankedClass

SCORES = np.sort(np.random.default_rng(3).random((100, 1)), axis=0)


@dataclass(frozen=True)
class Says:
    """Always the same number of rows."""

    count: float

    def counts(self, ranked: Sequence[RankedClass], rng: np.random.Generator) -> NDArray[np.float64]:
        return np.full(len(ranked), self.count)


def top(n_positives: int) -> NDArray[np.float64]:
    return (np.arange(100) >= 100 - n_positives).astype(float)[:, None]


def selected(rule: AveragedThresholds, labels: NDArray[np.float64], groups: NDArray[np.str_] | None = None) -> int:
    return int(decide(SCORES, rule.fit(labels, SCORES, groups, np.random.default_rng(0))).sum())


def test_the_mean_is_taken_over_the_numbers_of_selected_rows() -> None:
    parts = (Part(Says(4)), Part(Says(16)))
    assert selected(AveragedThresholds(parts), top(9)) == 8
    assert selected(AveragedThresholds(parts, "arithmetic"), top(9)) == 10
    assert selected(AveragedThresholds(parts, more=3.0), top(9)) == 11
    assert selected(AveragedThresholds((Part(Says(4), 3.0), Part(Says(64)))), top(9)) == 8


def test_weights_grow_with_positives_up_to_a_limit() -> None:
    growing = Part(Says(64), per_positives=20.0, limit=1.0)
    rule = AveragedThresholds((Part(Says(4)), growing))
    assert growing.weights(np.array([0.0, 5.0, 20.0, 90.0])).tolist() == [0.0, 0.25, 1.0, 1.0]
    assert [selected(rule, top(n)) for n in (5, 20, 90)] == [round(4 * 16 ** (0.25 / 1.25)), 16, 16]


def test_positives_of_one_group_count_once() -> None:
    rule = AveragedThresholds((Part(Says(4)), Part(Says(64), per_positives=20.0)))
    groups = np.array(["one"] * 100)
    assert selected(rule, top(20), groups) == round(4 * 16 ** (0.05 / 1.05)) < selected(rule, top(20))


def test_what_the_rows_speak_against_loses_its_weight_the_sooner_the_more_positives() -> None:
    parts = (Part(Says(9)), Part(Says(36)))
    kept, doubted = AveragedThresholds(parts), AveragedThresholds(parts, tolerance=0.3)
    assert selected(kept, top(9)) == 18
    assert selected(doubted, top(9)) == 9  # F 1 against 0.4
    close = (Part(Says(9)), Part(Says(11)))
    assert selected(AveragedThresholds(close, tolerance=0.3), top(9)) == selected(AveragedThresholds(close), top(9))


@pytest.mark.parametrize("metric", ["macro_f1", "macro_fbeta"])
def test_auto_beats_exact_on_other_rows_and_promises_little_more_than_it_keeps(metric: str) -> None:
    rng = np.random.default_rng(8)
    gains, optimism = [], []
    for _ in range(8):
        share, distance = np.exp(rng.uniform(np.log(0.03), np.log(0.1), 8)), rng.uniform(1.5, 3.0, 8)
        labels = (rng.random((2400, 8)) < share).astype(float)
        scores = expit(1.4 * (distance * (rng.standard_normal(labels.shape) + distance * labels) - 5.0))
        fit, fresh = slice(0, 400), slice(400, None)
        beta = 2.0 if metric == "macro_fbeta" else 1.0
        rule = threshold_rule("auto", metric=Metric(metric, beta))
        auto = rule.fit(labels[fit], scores[fit], None, np.random.default_rng(0))
        exact = exact_thresholds(labels[fit], scores[fit], beta=beta)
        score = Metric(metric, beta).score
        reached = score(labels[fresh], decide(scores[fresh], auto))
        gains.append(reached - score(labels[fresh], decide(scores[fresh], exact)))
        optimism.append(score(labels[fit], decide(scores[fit], auto)) - reached)
    assert np.mean(gains) > 0.01
    assert abs(np.mean(optimism)) < 0.02


def test_auto_is_as_good_as_exact_where_there_are_many_positives_and_no_calibration_fits() -> None:
    rng = np.random.default_rng(9)
    labels = (rng.random((8000, 3)) < 0.2).astype(float)
    place = rng.standard_t(3, labels.shape) + np.where(rng.random(labels.shape) < 0.4, 4.0, 0.5) * labels
    scores = np.round(expit(place), 2)
    fit, fresh = slice(0, 4000), slice(4000, None)
    auto = threshold_rule("auto", metric=Metric()).fit(labels[fit], scores[fit], None, np.random.default_rng(0))
    exact = exact_thresholds(labels[fit], scores[fit])
    reached = macro_f1(labels[fresh], decide(scores[fresh], auto))
    assert reached > macro_f1(labels[fresh], decide(scores[fresh], exact)) - 0.005
