"""The best score inside a search: exact on all rows, and true on average where rows stand for others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from ensemble.blending import MemberStack
from ensemble.blending.cells import choose_cells
from ensemble.blending.cuts import BestScore
from ensemble.metric import Metric
from ensemble.thresholds import decide, exact_thresholds


def simulated(n_rows: int, n_classes: int, *, seed: int, digits: int | None = None):
    rng = np.random.default_rng(seed)
    truth = rng.normal(-2.5, 1.5, (n_rows, n_classes))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.float64)
    logits = truth[None] + rng.normal(0, 1, (3, n_rows, n_classes))
    if digits is not None:
        logits = np.round(logits, digits)
    return MemberStack(("a", "b", "c"), logits.astype(np.float32)), labels


def best(metric: Metric, stack: MemberStack, labels, *, most: int | None = None) -> list[float]:
    cells = choose_cells(stack, labels, np.random.default_rng(0), most=most)
    return BestScore(metric, cells)([one.probabilities() for one in cells]).tolist()


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("name", ["macro_f1", "weighted_f1"])
def test_it_is_the_score_of_exact_thresholds(name: str, digits: int | None) -> None:
    stack, labels = simulated(300, 3, seed=1, digits=digits)
    labels[:40, 0] = np.nan
    metric = Metric(name)
    for member, found in zip(stack.probabilities(), best(metric, stack, labels), strict=True):
        decisions = decide(member, exact_thresholds(labels, member))
        assert found == pytest.approx(metric.score(labels, decisions), abs=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(["macro_fbeta", "micro_f1", "subset_accuracy"]))
@settings(max_examples=40, deadline=None)
def test_it_is_the_best_of_all_cuts(seed: int, name: str) -> None:
    stack, labels = simulated(12, 2, seed=seed, digits=0)
    metric = Metric(name, beta=0.5 if name == "macro_fbeta" else 1.0)
    for member, found in zip(stack.probabilities(), best(metric, stack, labels), strict=True):
        cuts = [np.append(np.unique(member[:, column]), 2.0) for column in range(2)]
        decided = [decide(member, np.array([one, two])) for one in cuts[0] for two in cuts[1]]
        if name == "subset_accuracy":  # its stand-in
            scores = [(labels == decisions).mean() for decisions in decided]
        else:
            scores = [metric.score(labels, decisions) for decisions in decided]
        assert found == pytest.approx(max(scores), abs=1e-9)


def test_few_cells_stand_for_many_rows() -> None:
    stack, labels = simulated(20_000, 2, seed=0)
    cells = choose_cells(stack, labels, np.random.default_rng(0), most=2000)
    assert [one.logits.shape for one in cells] == [(3, 2000)] * 2
    assert [one.rows.sum() for one in cells] == pytest.approx([20_000] * 2)
    assert [one.n_positives * one.positive_rows for one in cells] == pytest.approx(labels.sum(axis=0).tolist())
    for name in ("macro_f1", "micro_f1", "subset_accuracy"):
        whole, part = (best(Metric(name), stack, labels, most=most) for most in (20_000, 2000))
        assert part == pytest.approx(whole, abs=0.03)


def test_rare_positives_and_the_highest_negatives_are_all_kept() -> None:
    stack, labels = simulated(5000, 1, seed=0)
    labels[20:] = 0.0
    (cells,) = choose_cells(stack, labels, np.random.default_rng(0), most=1000)
    assert (cells.n_positives, cells.positive_rows) == (int(labels.sum()), 1.0)
    assert cells.n_sure == (1000 - cells.n_positives) // 2
    assert cells.logits[:, cells.n_positives : -cells.n_others].mean() > cells.logits[:, -cells.n_others :].mean() + 2


def test_cells_say_what_members_gave_to_the_truth() -> None:
    stack, labels = simulated(50, 1, seed=0)
    (cells,) = choose_cells(stack, labels, np.random.default_rng(0))
    order = np.concatenate([np.flatnonzero(labels[:, 0] == 1), np.flatnonzero(labels[:, 0] == 0)])
    p = stack.probabilities()[:, order, 0]
    expected = np.where(labels[order, 0] == 1, p, 1 - p)
    assert cells.likelihoods() == pytest.approx(expected, rel=1e-6)
