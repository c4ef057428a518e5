"""Metrics that couple classes: against all possible thresholds, and against all possible sets of labels."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from ensemble.errors import DataError
from ensemble.metric import COUPLED, Metric
from ensemble.thresholds import NONE_POSITIVE, decide, decision_rule, threshold_rule
from ensemble.thresholds.ascent import AscentThresholds
from ensemble.thresholds.decider import Decider, LabelRules
from ensemble.thresholds.expected import expected_f1_decisions
from ensemble.thresholds.micro import MicroThresholds

RNG = np.random.default_rng


def rows(n=9, c=3, seed=0, *, missing=0.0):
    rng = RNG(seed)
    labels = (rng.random((n, c)) < 0.4).astype(float)
    scores = np.round(np.clip(0.25 + 0.4 * labels + 0.3 * rng.standard_normal((n, c)), 0, 1), 1)
    labels[rng.random((n, c)) < missing] = np.nan
    return labels, scores


def best_of_all(metric, labels, scores):
    cuts = [[*np.unique(column), NONE_POSITIVE] for column in scores.T]
    return max(metric.score(labels, decide(scores, np.array(limits))) for limits in product(*cuts))


@pytest.mark.parametrize("seed", range(12))
def test_micro_is_the_best_of_all_thresholds(seed):
    metric = Metric("micro_f1")
    labels, scores = rows(seed=seed, missing=0.15 * (seed % 2))
    found = MicroThresholds().fit(labels, scores, None, RNG(0))
    assert metric.score(labels, decide(scores, found)) == pytest.approx(best_of_all(metric, labels, scores))


@pytest.mark.parametrize("name", ["sample_f1", "subset_accuracy"])
def test_ascent_never_loses_to_its_starts_and_mostly_finds_the_best(name):
    metric, best = Metric(name), 0
    for seed in range(12):
        labels, scores = rows(seed=seed, missing=0.1 * (seed % 2))
        found = metric.score(labels, decide(scores, AscentThresholds(metric).fit(labels, scores, None, RNG(0))))
        for start in ("fixed",):
            limits = threshold_rule(start, metric=metric).fit(labels, scores, None, RNG(0))
            assert found >= metric.score(labels, decide(scores, limits)) - 1e-12
        best += found >= best_of_all(metric, labels, scores) - 1e-12
    assert best >= 9


def expected_f1(probabilities, chosen):
    total = 0.0
    for truth in product([0, 1], repeat=len(probabilities)):
        chance = np.prod([p if y else 1 - p for p, y in zip(probabilities, truth, strict=True)])
        both = sum(a and b for a, b in zip(truth, chosen, strict=True))
        either = sum(truth) + sum(chosen)
        total += chance * (2 * both / either if either else 1.0)
    return total


def test_expected_f1_is_the_best_of_all_sets_of_labels():
    probabilities = RNG(3).random((40, 4)) ** 2
    for row, chosen in zip(probabilities, expected_f1_decisions(probabilities), strict=True):
        best = max(expected_f1(row, chosen) for chosen in product([0, 1], repeat=4))
        assert expected_f1(row, chosen.astype(int).tolist()) == pytest.approx(best)


def test_expected_f1_calls_nothing_where_health_is_likely():
    assert not expected_f1_decisions(np.array([[0.1, 0.05]])).any()
    assert expected_f1_decisions(np.array([[0.9, 0.05]])).tolist() == [[True, False]]


def calibrated_rows(n, seed):
    rng = RNG(seed)
    logits = rng.normal(-1.5, 1.5, (n, 5)) + rng.normal(0, 1.0, (n, 1))
    chances = 1 / (1 + np.exp(-logits))
    return (rng.random((n, 5)) < chances).astype(float), chances**1.7  # underconfident on purpose


@pytest.mark.parametrize("name", COUPLED)
def test_auto_beats_a_half_on_fresh_rows(name):
    metric = Metric(name)
    (labels, scores), (fresh, fresh_scores) = calibrated_rows(600, 1), calibrated_rows(20_000, 2)
    decider = decision_rule("auto", metric=metric).fit(labels, scores, None, RNG(0))
    assert metric.score(fresh, decider(fresh_scores)) > metric.score(fresh, fresh_scores >= 0.5) + 0.005


def test_image_by_image_beats_thresholds_for_sample_f1():
    metric = Metric("sample_f1")
    (labels, scores), (fresh, fresh_scores) = calibrated_rows(3_000, 1), calibrated_rows(20_000, 2)
    by_image = decision_rule("auto", metric=metric).fit(labels, scores, None, RNG(0))
    by_threshold = decision_rule("exact", metric=metric).fit(labels, scores, None, RNG(0))
    assert metric.score(fresh, by_image(fresh_scores)) > metric.score(fresh, by_threshold(fresh_scores))


@pytest.mark.parametrize("name", COUPLED)
@pytest.mark.parametrize("rule", ["exact", "auto"])
def test_classes_without_positives_or_labels_are_never_called(name, rule):
    labels, scores = rows(30, 4, seed=5)
    labels[:, 1], labels[:, 2] = 0.0, np.nan
    decider = decision_rule(rule, metric=Metric(name)).fit(labels, scores, None, RNG(0))
    assert not decider(scores)[:, 1:3].any()
    assert np.isfinite(decider.thresholds).all()


@pytest.mark.parametrize("name", COUPLED)
def test_the_order_of_rows_does_not_matter(name):
    labels, scores = rows(60, 4, seed=6)
    turned = RNG(1).permutation(60)
    rule = decision_rule("auto", metric=Metric(name))
    first = rule.fit(labels, scores, None, RNG(0))(scores)
    assert np.array_equal(rule.fit(labels[turned], scores[turned], None, RNG(0))(scores), first)


def test_a_rule_that_does_not_fit_the_metric_says_which_do():
    with pytest.raises(
        DataError, match="'prior' works class by class, micro-F1 does not: expected one of fixed, exact"
    ):
        threshold_rule("prior", metric=Metric("micro_f1"))


def test_at_least_one_label_takes_the_nearest():
    decider = Decider(np.array([0.5, 0.8]), LabelRules(at_least_one=True))
    assert decider(np.array([[0.1, 0.7], [0.45, 0.2], [0.6, 0.9]])).tolist() == [
        [False, True],
        [True, False],
        [True, True],
    ]


def test_an_exclusive_class_stands_alone_or_falls():
    decider = Decider(np.array([0.5, 0.5, 0.5]), LabelRules(exclusive=0))
    rows_ = np.array([[0.9, 0.6, 0.7], [0.6, 0.9, 0.55], [0.9, 0.1, 0.1], [0.1, 0.6, 0.6], [0.1, 0.1, 0.1]])
    assert decider(rows_).astype(int).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_label_rules_decide_each_row_by_itself():
    decider = Decider(np.array([0.4, 0.6, 0.5]), LabelRules(at_least_one=True, exclusive=2))
    scores = RNG(0).random((50, 3))
    one_by_one = np.concatenate([decider(row[None]) for row in scores])
    assert np.array_equal(decider(scores), one_by_one)
    assert decider(scores).any(axis=1).all()


def test_an_exclusive_class_that_is_not_there():
    with pytest.raises(DataError, match="expected a number from 0 to 1, got 2"):
        Decider(np.array([0.5, 0.5]), LabelRules(exclusive=2))(np.array([[0.1, 0.2]]))


@pytest.mark.parametrize("name", COUPLED)
def test_optuna_starts_from_the_optimiser_of_the_metric(name):
    metric, (labels, scores) = Metric(name), rows(60, 3, seed=8)
    start = threshold_rule("exact", metric=metric).fit(labels, scores, None, RNG(0))
    rule = dataclasses.replace(threshold_rule("optuna", metric=metric), trials=3)
    found = rule.fit(labels, scores, None, RNG(0))
    assert metric.score(labels, decide(scores, found)) >= metric.score(labels, decide(scores, start)) - 1e-12
