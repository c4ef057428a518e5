"""Exact thresholds equal brute force, and ``decide`` is one comparison that survives everything."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ensemble import metrics
from ensemble.metric import PER_CLASS, Metric
from ensemble.thresholds import (
    MacroF1OfThresholds,
    ScoreOfThresholds,
    decide,
    exact_thresholds,
    global_threshold,
    threshold_rule,
)

TINY = 5e-324
AWKWARD = [0.0, TINY, 2 * TINY, 1e-310, 0.25, 0.5, math.nextafter(0.5, 1.0), math.nextafter(0.5, 0.0), 0.75, 1.0]
AWKWARD += [math.nextafter(1.0, 0.0)]
AWKWARD_32 = [float(np.float32(value)) for value in (0, 1e-45, 0.1, 0.3, 0.5, np.nextafter(np.float32(0.5), 1), 1)]


@st.composite
def tables(draw: st.DrawFn, *, least: int = 1) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    """Labels with NaN, probabilities with ties, neighbours and ends, as float64 or float32."""
    n_rows, n_classes = draw(st.integers(least, 14)), draw(st.integers(1, 3))
    single = draw(st.booleans())
    score = st.one_of(st.sampled_from(AWKWARD_32 if single else AWKWARD), st.floats(0, 1, width=32))
    cells = n_rows * n_classes
    labels = draw(st.lists(st.sampled_from([0.0, 0.0, 1.0, math.nan]), min_size=cells, max_size=cells))
    scores = draw(st.lists(score, min_size=cells, max_size=cells))
    shape = (n_rows, n_classes)
    return np.array(labels).reshape(shape), np.array(scores, np.float32 if single else np.float64).reshape(shape)


def every_threshold(scores: NDArray[np.floating]) -> list[float]:
    """One for each distinct cut, highest first; then "all"."""
    distinct = sorted({float(score) for score in scores.ravel()}, reverse=True)
    return [2.0, *distinct, 0.0]


@given(tables())
@settings(max_examples=300, deadline=None)
def test_exact_is_as_good_as_every_cut(table: tuple[NDArray[np.float64], NDArray[np.floating]]) -> None:
    labels, scores = table
    for column in range(labels.shape[1]):
        truth, score = labels[:, [column]], scores[:, [column]]
        best = max(np.nan_to_num(metrics.macro_f1(truth, decide(score, [cut]))) for cut in every_threshold(score))
        found = exact_thresholds(truth, score)
        assert np.nan_to_num(metrics.macro_f1(truth, decide(score, found))) == best
        # Of equally good cuts, the one with the fewest positives.
        labelled = ~np.isnan(truth)
        equals = [
            (decide(score, [cut]) & labelled).sum()
            for cut in every_threshold(score)
            if np.nan_to_num(metrics.macro_f1(truth, decide(score, [cut]))) == best
        ]
        assert (decide(score, found) & labelled).sum() == min(equals)


@given(tables())
@settings(max_examples=200, deadline=None)
def test_global_is_as_good_as_every_shared_cut(table: tuple[NDArray[np.float64], NDArray[np.floating]]) -> None:
    labels, scores = table
    shared = [np.full(labels.shape[1], cut) for cut in every_threshold(scores)]
    best = max(np.nan_to_num(metrics.macro_f1(labels, decide(scores, cut))) for cut in shared)
    found = np.full(labels.shape[1], global_threshold(labels, scores))
    assert np.nan_to_num(metrics.macro_f1(labels, decide(scores, found))) == pytest.approx(best, abs=1e-12)


@given(tables(least=2), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_order_of_rows_is_irrelevant(table: tuple[NDArray[np.float64], NDArray[np.floating]], seed: int) -> None:
    labels, scores = table
    order = np.random.default_rng(seed).permutation(len(labels))
    assert np.array_equal(exact_thresholds(labels, scores), exact_thresholds(labels[order], scores[order]))
    assert global_threshold(labels, scores) == global_threshold(labels[order], scores[order])


@given(tables())
@settings(max_examples=100, deadline=None)
def test_a_rising_map_keeps_the_best_f1(table: tuple[NDArray[np.float64], NDArray[np.floating]]) -> None:
    labels, scores = table
    distinct, ranks = np.unique(scores, return_inverse=True)
    risen = ((ranks.reshape(scores.shape) + 1) / (len(distinct) + 1)) ** 3  # strictly rising, whatever the scores
    before = metrics.class_f1(labels, decide(scores, exact_thresholds(labels, scores)))
    after = metrics.class_f1(labels, decide(risen, exact_thresholds(labels, risen)))
    assert np.array_equal(before, after, equal_nan=True)


@given(tables())
@settings(max_examples=200, deadline=None)
def test_decisions_survive_a_round_trip_through_json(
    table: tuple[NDArray[np.float64], NDArray[np.floating]],
) -> None:
    labels, scores = table
    thresholds = exact_thresholds(labels, scores)
    back = json.loads(json.dumps(thresholds.tolist()))
    assert np.array_equal(decide(scores, thresholds), decide(scores, back))


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=300, deadline=None)
def test_neighbouring_floats_are_told_apart(lower: float) -> None:
    upper = math.nextafter(lower, 2.0)
    scores = np.array([[lower], [upper]])
    thresholds = json.loads(json.dumps(exact_thresholds([[0], [1]], scores).tolist()))
    assert thresholds == [upper]
    assert decide(scores, thresholds).ravel().tolist() == [False, True]


@given(tables())
@settings(max_examples=100, deadline=None)
def test_a_threshold_lies_in_the_gap_below_its_score(
    table: tuple[NDArray[np.float64], NDArray[np.floating]],
) -> None:
    labels, scores = table
    for column, threshold in enumerate(exact_thresholds(labels, scores)):
        labelled = scores[~np.isnan(labels[:, column]), column].astype(np.float64)
        if 0.0 < threshold <= 1.0:
            upper, lower = labelled[labelled >= threshold].min(), labelled[labelled < threshold].max()
            assert threshold in (lower + (upper - lower) / 2, upper)


@given(tables(), st.sampled_from([0.25, 0.5, 2.0, 3.0]))
@settings(max_examples=150, deadline=None)
def test_exact_is_as_good_as_every_cut_for_f_beta_too(
    table: tuple[NDArray[np.float64], NDArray[np.floating]], beta: float
) -> None:
    labels, scores = table
    metric = Metric("macro_fbeta", beta)
    for column in range(labels.shape[1]):
        truth, score = labels[:, [column]], scores[:, [column]]
        best = max(np.nan_to_num(metric.score(truth, decide(score, [cut]))) for cut in every_threshold(score))
        found = decide(score, exact_thresholds(truth, score, beta=beta))
        assert np.nan_to_num(metric.score(truth, found)) == pytest.approx(best, abs=1e-12)


@given(tables())
@settings(max_examples=100, deadline=None)
def test_global_weighs_classes_by_their_positives_for_weighted_f1(
    table: tuple[NDArray[np.float64], NDArray[np.floating]],
) -> None:
    labels, scores = table
    metric = Metric("weighted_f1")
    shared = [np.full(labels.shape[1], cut) for cut in every_threshold(scores)]
    best = max(np.nan_to_num(metric.score(labels, decide(scores, cut))) for cut in shared)
    found = np.full(labels.shape[1], global_threshold(labels, scores, by_positives=True))
    assert np.nan_to_num(metric.score(labels, decide(scores, found))) == pytest.approx(best, abs=1e-12)


@given(tables(), st.sampled_from(["halves", "prior", "platt", "beta", "ranks", "auto"]), st.sampled_from([1.0, 2.0]))
@settings(max_examples=80, deadline=None)
def test_whatever_the_table_every_rule_gives_thresholds_that_select_someone_unless_none_is_positive(
    table: tuple[NDArray[np.float64], NDArray[np.floating]], name: str, beta: float
) -> None:
    labels, scores = table
    groups = np.array([f"g{number // 2}" for number in range(len(labels))])
    rule = threshold_rule(name, metric=Metric("macro_fbeta", beta))
    for by in (None, groups):
        thresholds = rule.fit(labels, scores, by, np.random.default_rng(0))  # a warning would be an error
        positive = (labels == 1).any(axis=0)
        assert np.array_equal(thresholds[~positive], np.full((~positive).sum(), 2.0))
        assert decide(scores, thresholds)[:, positive].any(axis=0).all()
        assert np.array_equal(thresholds, rule.fit(labels, scores, by, np.random.default_rng(0)))


@given(tables(least=2), st.sampled_from(["prior", "platt", "beta", "ranks"]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_is_irrelevant_to_rules_without_chance(
    table: tuple[NDArray[np.float64], NDArray[np.floating]], name: str, seed: int
) -> None:
    labels, scores = table
    order = np.random.default_rng(seed).permutation(len(labels))
    rule, rng = threshold_rule(name, metric=Metric()), np.random.default_rng(0)
    assert np.array_equal(rule.fit(labels, scores, None, rng), rule.fit(labels[order], scores[order], None, rng))


@given(tables(), st.lists(st.floats(0, 1), min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_the_fast_objective_is_macro_f1(
    table: tuple[NDArray[np.float64], NDArray[np.floating]], numbers: list[float]
) -> None:
    labels, scores = table
    thresholds = np.array(numbers[: labels.shape[1]])
    expected = np.nan_to_num(metrics.macro_f1(labels, decide(scores, thresholds)))
    assert MacroF1OfThresholds(labels, scores)(thresholds) == pytest.approx(expected, abs=1e-12)
    for name in (*PER_CLASS, "micro_f1"):
        metric = Metric(name, 2.0 if name == "macro_fbeta" else 1.0)
        expected = np.nan_to_num(metric.score(labels, decide(scores, thresholds)))
        assert ScoreOfThresholds(labels, scores, metric)(thresholds) == pytest.approx(expected, abs=1e-12)
