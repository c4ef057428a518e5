import numpy as np
import pytest

from ensemble.metrics import macro_f1
from ensemble.thresholds import (
    ExactThresholds,
    FixedThreshold,
    GlobalThreshold,
    OptunaThresholds,
    ThresholdRule,
    decide,
    exact_thresholds,
)

RNG = np.random.default_rng(3)
LABELS = (RNG.random((200, 3)) < 0.2).astype(float)
SCORES = np.clip(0.3 * LABELS + RNG.random((200, 3)) * 0.7, 0, 1)


def fitted(rule: ThresholdRule, seed: int = 0) -> np.ndarray:
    return rule.fit(LABELS, SCORES, None, np.random.default_rng(seed))


def score(rule: ThresholdRule) -> float:
    return macro_f1(LABELS, decide(SCORES, fitted(rule)))


def test_no_rule_beats_exact_in_sample() -> None:
    best = score(ExactThresholds())
    for rule in (FixedThreshold(), GlobalThreshold(), OptunaThresholds(20), OptunaThresholds(20, ExactThresholds())):
        assert fitted(rule).shape == (3,)
        assert score(rule) <= best
    assert np.array_equal(fitted(ExactThresholds()), exact_thresholds(LABELS, SCORES))


def test_fixed_and_global_are_the_same_number_everywhere() -> None:
    assert fitted(FixedThreshold(0.25)).tolist() == [0.25] * 3
    assert len(set(fitted(GlobalThreshold()).tolist())) == 1


def test_optuna_from_exact_loses_nothing() -> None:
    assert score(OptunaThresholds(5, ExactThresholds())) == score(ExactThresholds())


def test_optuna_takes_its_chance_from_the_generator_alone() -> None:
    rule = OptunaThresholds(12)
    assert np.array_equal(fitted(rule, 1), fitted(rule, 1))
    assert not np.array_equal(fitted(rule, 1), fitted(rule, 2))


@pytest.mark.parametrize("rule", [ExactThresholds(), GlobalThreshold(), OptunaThresholds(2, ExactThresholds())])
def test_a_class_without_positives_is_no_obstacle(rule: ThresholdRule) -> None:
    thresholds = rule.fit(np.zeros((4, 1)), np.full((4, 1), 0.5), None, np.random.default_rng(0))
    assert thresholds.shape == (1,)
