"""Every rule by name, and what all of them keep to."""

import numpy as np
import pytest

from ensemble.errors import DataError
from ensemble.metric import COUPLED, PER_CLASS, Metric
from ensemble.thresholds import (
    ALL_POSITIVE,
    NONE_POSITIVE,
    THRESHOLD_RULES,
    FixedThreshold,
    OptunaThresholds,
    ThresholdRule,
    decide,
    rule_title,
    threshold_rule,
)

RNG = np.random.default_rng(5)
LABELS = (RNG.random((300, 4)) < (0.02, 0.1, 0.3, 0.5)).astype(float)
SCORES = 1 / (1 + np.exp(-(RNG.standard_normal((300, 4)) + 2 * LABELS - 2)))
GROUPS = np.array([f"p{number // 3}" for number in range(300)])
LEARNT = ("exact", "halves", "prior", "platt", "beta", "ranks", "auto")


def rule_of(name: str, metric: str = "macro_f1") -> ThresholdRule:
    return threshold_rule(name, metric=Metric(metric, 2.0 if metric == "macro_fbeta" else 1.0))


def fitted(name: str, labels: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    return rule_of(name).fit(labels, scores, groups, np.random.default_rng(0))


def test_the_names() -> None:
    names = ("fixed", "global", "exact", "halves", "prior", "platt", "beta", "ranks", "optuna", "auto")
    assert names == THRESHOLD_RULES
    assert len({rule_title(name) for name in names}) == len(names)


def test_another_name_is_refused() -> None:
    for ask in (rule_title, rule_of):
        with pytest.raises(DataError, match=r"expected one of fixed, global, exact, .*, got 'best'"):
            ask("best")


@pytest.mark.parametrize("metric", COUPLED)
def test_a_rule_that_works_class_by_class_is_refused_where_classes_couple(metric: str) -> None:
    assert rule_of("fixed", metric) == FixedThreshold()
    with pytest.raises(DataError, match=r"'prior' works class by class, .* does not: expected one of fixed, exact"):
        rule_of("prior", metric)


@pytest.mark.parametrize("metric", PER_CLASS)
@pytest.mark.parametrize("name", [name for name in THRESHOLD_RULES if name != "optuna"])
def test_every_rule_does_better_than_a_half_on_underconfident_scores(name: str, metric: str) -> None:
    scores = SCORES**3
    thresholds = rule_of(name, metric).fit(LABELS, scores, GROUPS, np.random.default_rng(0))
    assert thresholds.shape == (4,)
    score = Metric(metric).score(LABELS, decide(scores, thresholds))
    at_half = Metric(metric).score(LABELS, decide(scores, np.full(4, 0.5)))
    assert score > at_half + 0.1 or (name == "fixed" and score == at_half)


def test_optuna_maximises_the_metric_that_it_was_made_for() -> None:
    metric = Metric("weighted_f1")
    assert threshold_rule("optuna", metric=metric) == OptunaThresholds(metric=metric)


@pytest.mark.parametrize("name", LEARNT)
def test_a_class_without_positives_selects_none_and_disturbs_no_other(name: str) -> None:
    labels = LABELS.copy()
    labels[:, 1] = 0
    labels[:, 2] = np.nan
    thresholds = fitted(name, labels, SCORES)
    assert thresholds[1:3].tolist() == [NONE_POSITIVE] * 2
    assert np.all((thresholds[[0, 3]] > 0) & (thresholds[[0, 3]] < 1))


@pytest.mark.parametrize("name", LEARNT)
def test_no_class_has_a_positive(name: str) -> None:
    assert fitted(name, np.zeros((5, 2)), np.full((5, 2), 0.3)).tolist() == [NONE_POSITIVE] * 2


@pytest.mark.parametrize("name", LEARNT)
def test_all_positive(name: str) -> None:
    assert fitted(name, np.ones((6, 1)), np.linspace(0, 1, 6)[:, None]).tolist() == [ALL_POSITIVE]


@pytest.mark.parametrize("name", LEARNT)
def test_constant_scores_select_all(name: str) -> None:
    assert fitted(name, LABELS[:, :1], np.full((300, 1), 0.25)).tolist() == [ALL_POSITIVE]


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.2, 0.4), (0.0, 1e-30), (0.999999, 1.0)])
def test_two_scores_that_separate(name: str, ends: tuple[float, float]) -> None:
    labels = np.array([[0.0]] * 20 + [[1.0]] * 3)
    scores = np.where(labels == 1, ends[1], ends[0])
    assert np.array_equal(decide(scores, fitted(name, labels, scores)), labels == 1)


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize("grouped", [False, True])
def test_one_positive_on_top_is_found(name: str, grouped: bool) -> None:
    labels = np.zeros((40, 1))
    labels[7] = 1
    scores = np.linspace(0.1, 0.3, 40)[:, None]
    scores[7] = 0.9
    decided = decide(scores, fitted(name, labels, scores, GROUPS[:40] if grouped else None))
    assert decided[7, 0]
    assert decided.sum() <= 4


@pytest.mark.parametrize("name", LEARNT)
def test_unlabelled_rows_are_as_if_they_were_not_there(name: str) -> None:
    labels = LABELS.copy()
    labels[100:] = np.nan
    assert np.array_equal(fitted(name, labels, SCORES, GROUPS), fitted(name, LABELS[:100], SCORES[:100], GROUPS[:100]))


@pytest.mark.parametrize("name", [name for name in LEARNT if name not in ("halves", "auto")])
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    order = RNG.permutation(300)
    scores = np.round(SCORES, 1)
    assert np.array_equal(fitted(name, LABELS, scores), fitted(name, LABELS[order], scores[order]))


@pytest.mark.parametrize("name", LEARNT)
def test_single_precision_is_widened(name: str) -> None:
    single = SCORES.astype(np.float32)
    expected = fitted(name, LABELS, single.astype(np.float64))
    assert np.allclose(fitted(name, LABELS, single), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["exact", "halves", "prior"])
def test_rules_that_know_ranks_alone_decide_alike_after_a_rising_map(name: str) -> None:
    mapped = SCORES**2 / (SCORES**2 + 0.3)
    decided = decide(SCORES, fitted(name, LABELS, SCORES, GROUPS))
    assert np.array_equal(decided, decide(mapped, fitted(name, LABELS, mapped, GROUPS)))


@pytest.mark.parametrize("name", LEARNT)
def test_a_larger_beta_selects_no_fewer(name: str) -> None:
    metrics = [Metric("macro_fbeta", beta) for beta in (0.5, 1.0, 2.0)]
    rules = [threshold_rule(name, metric=metric) for metric in metrics]
    selected = [decide(SCORES, rule.fit(LABELS, SCORES, None, np.random.default_rng(0))).sum() for rule in rules]
    assert selected == sorted(selected)
    assert selected[0] < selected[2] or name == "prior"
