"""Bands against resampling rows and groups one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.curves import ClassCurve
from ensemble.evaluation import LabelledRows, resampled_totals
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.curve_bands import with_bands
from ensemble.evaluation.curves import class_curves
from ensemble.evaluation.resampling import draw_units

RNG = np.random.default_rng(5)
N = 300
LABELS = (RNG.random((N, 2)) < [0.3, 0.1]).astype(float)
LABELS[:20, 1] = np.nan
PROBABILITIES = expit(2 * np.nan_to_num(LABELS) - 2 + RNG.standard_normal((N, 2)))
GROUPS = np.array([f"g{number // 5}" for number in range(N)])
NAMES = ("one", "two")


def banded(groups: NDArray[np.str_] | None, seed: int = 0, n_resamples: int = 60) -> tuple[ClassCurve, ...]:
    rows = LabelledRows(LABELS, (np.arange(N) % 3).astype(np.int16), groups)
    fitted = CrossFit(np.zeros(LABELS.shape, dtype=bool), np.full((3, 2), 0.3))
    curves = class_curves(NAMES, rows, probabilities=PROBABILITIES, fitted=fitted, thresholds=np.full(2, 0.3))
    return with_bands(curves, rows, probabilities=PROBABILITIES, class_names=NAMES, n_resamples=n_resamples, seed=seed)


def resampled_f1(column: int, cut: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    truth, called = LABELS[:, column], PROBABILITIES[:, column] >= cut
    tp, fp, fn = (
        weights @ ((truth == value) & (called == said)).astype(float)
        for value, said in ((1, True), (0, True), (1, False))
    )
    return np.asarray(2 * tp / np.maximum(2 * tp + fp + fn, 1))


def test_a_band_of_groups_is_the_bootstraps() -> None:
    owners, codes = np.unique(GROUPS, return_inverse=True)
    weights = np.concatenate(list(draw_units(len(owners), 60, 0)))[:, codes].astype(float)
    for column, curve in enumerate(banded(GROUPS)):
        assert curve.band.shape == (2, len(curve.cuts))
        for place in range(0, len(curve.cuts), 11):
            expected = np.quantile(resampled_f1(column, curve.cuts[place], weights), [0.025, 0.975])
            assert curve.band[:, place] == pytest.approx(expected)


def test_a_band_of_rows_is_near_that_of_rows_drawn_one_by_one() -> None:
    weights = np.random.default_rng(1).multinomial(N, np.full(N, 1 / N), size=2000).astype(float)
    curve = banded(None, n_resamples=2000)[0]
    for place in (20, 80, 120):
        expected = np.quantile(resampled_f1(0, curve.cuts[place], weights), [0.025, 0.975])
        assert curve.band[:, place] == pytest.approx(expected, abs=0.02)


def test_bands_hold_the_curve_and_depend_on_the_seed_alone() -> None:
    first, again, other = banded(GROUPS)[0], banded(GROUPS)[0], banded(GROUPS, seed=1)[0]
    assert (first.band[0] <= first.f + 0.02).all()
    assert (first.band[1] >= first.f - 0.02).all()
    assert np.array_equal(first.band, again.band)
    assert not np.array_equal(first.band, other.band)
    assert np.array_equal(banded(None)[1].band, banded(None)[1].band)


def test_one_group_says_nothing_of_others() -> None:
    (curve, _) = banded(np.full(N, "only"))
    assert curve.band.shape == (2, 0)


def test_units_are_drawn_as_everywhere() -> None:
    weights = np.concatenate(list(draw_units(7, 50, 3)))
    assert np.array_equal(weights, resampled_totals(np.eye(7, dtype=np.uint8), n_resamples=50, seed=3))
    assert (weights.sum(axis=1) == 7).all()
