import numpy as np
import pytest
from scipy.special import expit, logit

from ensemble.metrics import macro_f1
from ensemble.thresholds import PlugInThresholds, PriorThresholds, decide
from ensemble.thresholds.cuts import rank_classes
from ensemble.thresholds.plugin import best_expected


def test_the_count_with_the_best_expected_f() -> None:
    rng = np.random.default_rng(2)
    chances = np.sort(rng.random(60) ** 4)
    one = rank_classes(np.zeros((60, 1)), np.linspace(0, 1, 60)[:, None], None)[0]
    for beta in (0.5, 1.0, 2.0):
        top = chances[::-1]
        expected = [(1 + beta**2) * top[:k].sum() / (k + beta**2 * top.sum()) for k in range(1, 61)]
        count = best_expected(one, chances, beta)
        assert count == 1 + int(np.argmax(expected))
        assert top[count - 1] >= max(expected) / (1 + beta**2) > top[count]  # F* / 2 for F1


def test_equal_chances_select_all() -> None:
    one = rank_classes(np.zeros((5, 1)), np.linspace(0, 1, 5)[:, None], None)[0]
    assert best_expected(one, np.full(5, 0.2), 1.0) == 5


@pytest.mark.parametrize("kind", ["platt", "beta", "ranks"])
def test_it_reaches_what_can_be_reached_with_calibrated_scores(kind: str) -> None:
    rng = np.random.default_rng(2)
    truth = expit(rng.normal(-2.5, 1.5, (8000, 2)))
    labels = (rng.random((8000, 2)) < truth).astype(float)
    scores = expit(0.4 * logit(truth) + 1)
    fresh = expit(rng.normal(-2.5, 1.5, (30_000, 2)))
    fresh_labels, fresh_scores = (rng.random(fresh.shape) < fresh).astype(float), expit(0.4 * logit(fresh) + 1)
    found = PlugInThresholds(kind).fit(labels, scores, None, np.random.default_rng(0))  # type: ignore[arg-type]
    best = max(macro_f1(fresh_labels, decide(fresh_scores, [cut] * 2)) for cut in np.linspace(0.4, 0.8, 41))
    assert macro_f1(fresh_labels, decide(fresh_scores, found)) > best - 0.005


def test_prior_matching_selects_as_many_as_are_positive() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random((500, 3)) < (0.02, 0.1, 0.4)).astype(float)
    scores = rng.random((500, 3))
    labels[::7] = np.nan
    labelled = ~np.isnan(labels)
    found = decide(scores, PriorThresholds().fit(labels, scores, None, rng)) & labelled
    assert found.sum(axis=0).tolist() == (labels == 1).sum(axis=0).tolist()
