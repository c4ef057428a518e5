import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.evaluation.ratios import ratios_of, sums_by_group
from ensemble.metric import METRIC_NAMES, Metric

RNG = np.random.default_rng(3)
LABELS = np.where(RNG.random((240, 4)) < 0.05, np.nan, RNG.random((240, 4)) < 0.2)
DECISIONS = (RNG.random((240, 4)) < 0.1) | ((LABELS == 1) & (RNG.random((240, 4)) < 0.6))
GROUPS = np.repeat([f"patient {number}" for number in range(48)], 5)
METRICS = [Metric(name) for name in METRIC_NAMES] + [Metric("macro_fbeta", beta=2.0), Metric("macro_fbeta", beta=0.5)]


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_parts_make_the_score(metric: Metric) -> None:
    parts = ratios_of(metric, LABELS, DECISIONS, GROUPS)
    assert parts.weights @ parts.values == pytest.approx(metric.score(LABELS, DECISIONS))


@pytest.mark.parametrize("groups", [None, GROUPS], ids=["rows", "groups"])
@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_deviations_are_those_of_the_score_without_a_unit(metric: Metric, groups: np.ndarray | None) -> None:
    parts = ratios_of(metric, LABELS, DECISIONS, groups)
    owners = np.arange(len(LABELS)) if groups is None else groups
    names = np.unique(owners)
    left_out = [metric.score(LABELS[owners != name], DECISIONS[owners != name]) for name in names]
    expected = np.sqrt((len(names) - 1) / len(names)) * (metric.score(LABELS, DECISIONS) - np.array(left_out))
    assert parts.deviations @ parts.weights + parts.rest == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_variance_is_the_bootstraps(metric: Metric) -> None:
    parts = ratios_of(metric, LABELS, DECISIONS, GROUPS)
    units = sums_by_group(metric.row_statistics(LABELS, DECISIONS), GROUPS)
    drawn = np.random.default_rng(0).multinomial(48, np.full(48, 1 / 48), size=4000) @ units
    error = np.sqrt(np.square(parts.deviations @ parts.weights + parts.rest).sum())
    assert error == pytest.approx(metric.from_totals(drawn).std(), rel=0.1)


def test_a_design_effect_of_rows_that_are_repeated_is_their_number() -> None:
    labels, decisions = LABELS[:100], DECISIONS[:100]
    once = ratios_of(Metric(), labels, decisions)
    groups = np.repeat(np.arange(100), 3)
    thrice = ratios_of(Metric(), np.repeat(labels, 3, axis=0), np.repeat(decisions, 3, axis=0), groups)
    assert thrice.design_effects() == pytest.approx(3 * once.design_effects())
    assert thrice.sizes == pytest.approx(3 * once.sizes)


def test_where_nothing_varies_a_group_counts_as_one_trial() -> None:
    labels = np.repeat([[1.0], [0.0]], [12, 12], axis=0)
    groups = np.repeat(np.arange(8), 3)
    parts = ratios_of(Metric(), labels, labels == 1, groups)
    assert parts.proportions.tolist() == [1.0]
    assert parts.design_effects().tolist() == [3.0]


def test_trials_are_hits_and_errors_and_a_miss_is_worth_less_where_it_costs_more() -> None:
    labels = np.array([[1.0]] * 10 + [[0.0]] * 20)
    decisions = np.array([[True]] * 6 + [[False]] * 4 + [[True]] * 5 + [[False]] * 15)
    assert ratios_of(Metric(), labels, decisions).sizes.tolist() == pytest.approx([15.0])
    whole = 6 + 5 + 4 * 4
    share = 6 / whole
    variance = (6 * (1 - share) ** 2 + share**2 * (5 + 16 * 4)) / whole**2
    assert ratios_of(Metric("macro_fbeta", beta=2.0), labels, decisions).sizes == pytest.approx(
        [share * (1 - share) / variance]
    )


def test_a_class_without_a_label_is_left_out() -> None:
    labels = LABELS.copy()
    labels[:, 2] = np.nan
    parts = ratios_of(Metric(), labels, DECISIONS, GROUPS)
    assert len(parts.weights) == 3
    assert parts.weights @ parts.values == pytest.approx(Metric().score(labels, DECISIONS))


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_nothing_labelled_is_an_error(name: str) -> None:
    with pytest.raises(ArrayError, match="nothing that is labelled"):
        ratios_of(Metric(name), np.full((6, 2), np.nan), np.zeros((6, 2), dtype=bool))


def test_one_group_is_an_error() -> None:
    with pytest.raises(ArrayError, match="at least 2 groups, got 1"):
        ratios_of(Metric(), LABELS, DECISIONS, np.zeros(len(LABELS)))
    with pytest.raises(ArrayError, match="at least 2 rows, got 1"):
        ratios_of(Metric(), LABELS[:1], DECISIONS[:1])
    with pytest.raises(ArrayError, match=r"one of each of 240 rows, got shape \(3,\)"):
        ratios_of(Metric(), LABELS, DECISIONS, np.zeros(3))
