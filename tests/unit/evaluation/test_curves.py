"""Every number of a curve against counting one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.curves import ClassCurve
from ensemble.evaluation import LabelledRows
from ensemble.evaluation.cautions import steep
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.curves import SLACK, class_curves, steep_losses
from ensemble.metric import Metric
from ensemble.thresholds import decide, exact_thresholds

RNG = np.random.default_rng(3)
N = 400
LABELS = (RNG.random((N, 3)) < [0.3, 0.05, 0.5]).astype(float)
LABELS[RNG.random((N, 3)) < 0.1] = np.nan
PROBABILITIES = np.round(expit(2 * np.nan_to_num(LABELS) - 2 + RNG.standard_normal((N, 3))), 2)  # with ties
FOLDS = (np.arange(N) % 4).astype(np.int16)
NAMES = ("one", "two", "three")
THRESHOLDS = np.array([0.35, 0.41, 0.2])


def curves_of(
    labels: NDArray[np.float64] = LABELS,
    probabilities: NDArray[np.float64] = PROBABILITIES,
    thresholds: NDArray[np.float64] = THRESHOLDS,
    beta: float = 1.0,
) -> tuple[ClassCurve, ...]:
    fold_thresholds = np.stack([thresholds + 0.01 * fold for fold in range(4)])
    fitted = CrossFit(np.zeros(labels.shape, dtype=bool), fold_thresholds)
    names = NAMES[: labels.shape[1]]
    rows = LabelledRows(labels, FOLDS[: len(labels)])
    return class_curves(names, rows, probabilities=probabilities, fitted=fitted, thresholds=thresholds, beta=beta)


def f_at(column: int, threshold: float, beta: float = 1.0) -> float:
    decided = decide(PROBABILITIES[:, [column]], [threshold])
    return Metric("macro_fbeta", beta).score(LABELS[:, [column]], decided)


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_curves_are_the_scores_of_the_decisions(beta: float) -> None:
    for column, curve in enumerate(curves_of(beta=beta)):
        assert curve.name == NAMES[column]
        assert (np.diff(curve.cuts) > 0).all()
        assert 160 <= len(curve.cuts) <= 162
        assert THRESHOLDS[column] in curve.cuts
        truth = LABELS[:, column]
        for place in range(0, len(curve.cuts), 7):
            called = PROBABILITIES[:, column] >= curve.cuts[place]
            tp, fp = (called & (truth == 1)).sum(), (called & (truth == 0)).sum()
            assert curve.f[place] == pytest.approx(f_at(column, curve.cuts[place], beta))
            assert curve.recall[place] == tp / (truth == 1).sum()
            assert curve.specificity[place] == pytest.approx(1 - fp / (truth == 0).sum())
            expected = tp / (tp + fp) if tp + fp else math.nan
            assert curve.precision[place] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_the_best_is_that_of_the_exact_thresholds(beta: float) -> None:
    exact = exact_thresholds(LABELS, PROBABILITIES, beta=beta)
    for column, curve in enumerate(curves_of(beta=beta)):
        assert curve.best_threshold == exact[column]
        assert curve.best == pytest.approx(f_at(column, exact[column], beta))
        assert curve.f_at_threshold == pytest.approx(f_at(column, THRESHOLDS[column], beta))


def test_the_plateau_is_all_that_is_nearly_as_good() -> None:
    for column, curve in enumerate(curves_of()):
        low, high = curve.plateau
        assert low < curve.best_threshold <= high
        inside = np.linspace(low + 1e-9, high, 50)
        assert min(f_at(column, one) for one in inside) >= curve.best - SLACK - 1e-12
        assert f_at(column, low) < curve.best - SLACK
        assert f_at(column, high + 1e-9) < curve.best - SLACK


def test_a_plateau_may_reach_down_to_all() -> None:
    (curve,) = curves_of(np.array([[1.0], [1.0], [1.0], [0.0]] * 50), np.full((200, 1), 0.4), np.array([0.0]))
    assert curve.plateau == (0.0, 0.4)
    assert curve.best_threshold == 0.0
    assert curve.moves == ()
    assert steep_losses(curve) == 0.0


def test_moves_cost_what_the_scores_differ() -> None:
    curve = curves_of()[1]
    moved = {move.title: move for move in curve.moves}
    assert list(moved) == ["−0.5 logit", "−0.25 logit", "+0.25 logit", "+0.5 logit", "−10 %", "+10 %"]
    assert moved["+0.5 logit"].threshold == pytest.approx(expit(logit(0.41) + 0.5))
    assert moved["−10 %"].threshold == pytest.approx(0.369)
    for move in curve.moves:
        assert move.lost == pytest.approx(f_at(1, 0.41) - f_at(1, move.threshold))
    near = [moved["−0.25 logit"].lost, moved["+0.25 logit"].lost]
    assert steep_losses(curve) == max(near)


def test_a_threshold_on_a_slope_is_warned_of() -> None:
    labels = np.array([[1.0]] * 20 + [[0.0]] * 20)
    scores = np.array([[0.5]] * 10 + [[0.8]] * 10 + [[0.3]] * 20)
    (cliff,) = curves_of(labels, scores, np.array([0.49]))
    (calm,) = curves_of(labels, scores, np.array([0.4]))
    assert list(steep([calm])) == []
    (warning,) = steep([calm, cliff])
    assert "beside the threshold of one (0.333)" in warning


def test_classes_that_leave_no_choice_have_no_curve() -> None:
    labels = LABELS.copy()
    labels[:, 0] = 0
    labels[:, 2] = np.nan
    assert [curve.name for curve in curves_of(labels)] == ["two"]


def test_certain_probabilities_stay_on_the_grid() -> None:
    labels, scores = np.array([[1.0]] * 5 + [[0.0]] * 5), np.array([[1.0]] * 5 + [[0.0]] * 5)
    (curve,) = curves_of(labels, scores, np.array([0.5]))
    assert np.isfinite(logit(curve.cuts)).all()
    assert curve.best == 1.0
    assert curve.plateau == (0.0, 1.0)
