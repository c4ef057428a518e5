import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from ensemble.thresholds.calibration import Kind, calibrated
from ensemble.thresholds.cuts import RankedClass, rank_classes
from ensemble.thresholds.logistic import BinnedRows, Normal, fit_logistic


def draw(n: int, slope: float, shift: float, n_classes: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels, and scores whose logits, times slope plus shift, are those of the labels' probabilities."""
    rng = np.random.default_rng(1)
    truth = rng.normal(-2, 2, (n, n_classes))
    return (rng.random((n, n_classes)) < expit(truth)).astype(float), expit((truth - shift) / slope)


def ranked_of(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> list[RankedClass]:
    return rank_classes(labels, scores, None)


@pytest.mark.parametrize("kind", ["platt", "beta", "ranks"])
@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.4, -1.0), (2.5, 1.5)])
def test_it_finds_what_was_done_to_the_scores(kind: Kind, slope: float, shift: float) -> None:
    one = ranked_of(*draw(20_000, slope, shift))[0]
    expected = expit(slope * logit(one.scores) + shift)
    assert np.abs(calibrated([one], kind)[0] - expected).max() < 0.06


def test_beta_bends_where_platt_cannot() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.0, 1.0, 20_000)
    labels = (rng.random(20_000) < truth).astype(float)[:, None]
    one = ranked_of(labels, (truth**3)[:, None])[0]
    expected = one.scores ** (1 / 3)
    errors = {kind: np.abs(calibrated([one], kind)[0] - expected).mean() for kind in ("platt", "beta")}
    assert errors["beta"] < 0.01 < errors["platt"]


@pytest.mark.parametrize("kind", ["platt", "beta", "ranks"])
def test_a_better_score_is_never_worth_less(kind: Kind) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((200, 3)) < 0.2).astype(float)
    scores = expit(rng.standard_normal((200, 3)) - 2 * labels)  # worse than chance
    for chances in calibrated(ranked_of(labels, scores), kind):
        assert (np.diff(chances) >= -1e-12).all()
        assert np.ptp(chances) < 0.1


def test_a_class_with_few_positives_lies_near_the_others() -> None:
    labels, scores = draw(4000, 0.5, -1.0, 9)
    rare = np.flatnonzero(labels[:, 8] == 1)
    labels[rare[4:], 8] = np.nan
    negatives = np.flatnonzero(labels[:, 8] == 0)
    labels[negatives[30:], 8] = np.nan
    together, alone = ranked_of(labels, scores), ranked_of(labels[:, 8:], scores[:, 8:])
    expected = expit(0.5 * logit(together[8].scores) - 1.0)
    error = np.abs(calibrated(together, "platt")[8] - expected).mean()
    assert error < 0.15
    assert error < np.abs(calibrated(alone, "platt")[0] - expected).mean()


def test_a_class_with_many_positives_is_fitted_by_itself() -> None:
    labels, scores = draw(20_000, 1.0, 0.0, 6)
    other_labels, other_scores = draw(20_000, 0.4, -1.5)
    ranked = ranked_of(np.hstack([labels, other_labels]), np.hstack([scores, other_scores]))
    expected = expit(0.4 * logit(ranked[6].scores) - 1.5)
    assert np.abs(calibrated(ranked, "platt")[6] - expected).max() < 0.06


@pytest.mark.parametrize("kind", ["platt", "beta", "ranks"])
def test_scores_rounded_to_nothing_do_not_steer(kind: Kind) -> None:
    labels, scores = draw(3000, 1.0, 0.0)
    rounded = np.round(scores, 2)
    assert (rounded == 0).sum() > 100
    one = ranked_of(labels, rounded)[0]
    inside = (one.scores > 0.05) & (one.scores < 1)
    assert np.abs(calibrated([one], kind)[0] - one.scores)[inside].mean() < 0.05


def test_ranks_do_not_care_for_the_scale() -> None:
    rng = np.random.default_rng(1)
    place = rng.standard_normal(5000) + 1.5 * (np.arange(5000) < 300)
    labels = (np.arange(5000) < 300).astype(float)[:, None]
    true = 300 * norm.pdf(place - 1.5) / (300 * norm.pdf(place - 1.5) + 4700 * norm.pdf(place))
    odd = norm.cdf(place / 3) ** 0.2 * 0.5  # far from any logistic of a logit
    one = ranked_of(labels, odd[:, None])[0]
    expected = np.sort(true)
    errors = {kind: np.abs(calibrated([one], kind)[0] - expected).mean() for kind in ("platt", "ranks")}
    assert errors["ranks"] < 0.01
    assert errors["ranks"] < errors["platt"]


def test_bins_lose_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ranked = ranked_of(*draw(5000, 0.7, -1.0, 2))
    binned = calibrated(ranked, "beta")
    monkeypatch.setattr("ensemble.thresholds.calibration.N_BINS", 10_000)
    for few, all_rows in zip(binned, calibrated(ranked, "beta"), strict=True):
        assert np.abs(few - all_rows).max() < 0.005


def test_the_fit_is_the_penalised_optimum_and_stays_finite_where_scores_separate() -> None:
    feature = np.array([-2.0, -1.0, 1.0, 2.0])
    features = np.stack([np.ones(4), feature], axis=1)[None]
    rows = BinnedRows(features, np.ones((1, 4)), np.array([[0.0, 0.0, 1.0, 1.0]]))
    prior = Normal(np.array([0.0, 1.0]), 0.1 * np.eye(2))
    found = fit_logistic(rows, prior, np.array([[0.0, 1.0]]))
    residual = rows.positives - expit(rows.logits(found))
    gradient = (residual[:, :, None] * features).sum(axis=1) - 0.1 * (found - prior.mean)
    assert np.abs(gradient).max() < 1e-4
    assert 1 < found[0, 1] < 10


def test_a_slope_that_wants_to_be_negative_is_zero_and_the_rest_is_fitted_without_it() -> None:
    features = np.stack([np.ones(4), np.array([-2.0, -1.0, 1.0, 2.0])], axis=1)[None]
    rows = BinnedRows(features, np.full((1, 4), 50.0), np.array([[40.0, 30.0, 20.0, 10.0]]))
    found = fit_logistic(rows, Normal(np.zeros(2), 1e-6 * np.eye(2)), np.array([[0.0, 1.0]]))
    assert found[0, 1] == 0
    assert found[0, 0] == pytest.approx(0, abs=1e-3)  # half of all rows are positive
