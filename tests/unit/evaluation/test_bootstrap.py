"""The bootstrap by matrix product, against the bootstrap by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.arrays import ArrayError
from ensemble.evaluation import (
    bootstrap_macro_f1,
    group_counts,
    interval_of,
    paired_interval,
    resampled_macro_f1,
    resampled_totals,
    resampling,
    score_interval,
)
from ensemble.metrics import confusion_counts, macro_f1

N, C = 120, 3


def rows(seed: int = 0, *, n: int = N, missing: float = 0.1) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Labels, some of them missing, and decisions that are right three times in four."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, C)) < [0.5, 0.3, 0.05]).astype(float)
    decisions = (labels == 1) ^ (rng.random(labels.shape) < 0.25)
    labels[rng.random(labels.shape) < missing] = np.nan
    return labels, decisions


def groups_of(size: int, n: int = N) -> NDArray[np.str_]:
    return np.array([f"p{number // size}" for number in range(n)])


@pytest.mark.parametrize("groups", [None, groups_of(7)])
def test_a_resample_by_weights_is_the_resample_by_rows(groups: NDArray[np.str_] | None) -> None:
    labels, decisions = rows()
    names = np.arange(N).astype(str) if groups is None else groups
    codes = np.arange(N) if groups is None else np.unique(groups, return_inverse=True)[1]
    counts = group_counts(labels, decisions, groups)
    n_groups = len(np.unique(names))
    rng = np.random.default_rng(1)
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=50)
    found = resampled_macro_f1(counts, weights)
    for row, score in zip(weights, found, strict=True):
        drawn = np.repeat(np.arange(N), row[codes])
        # A class that the resample has no label of counts as 0: the class has labels, and 0/0 = 0.
        f1 = np.nan_to_num(confusion_counts(labels[drawn], decisions[drawn]).f1)
        assert score == pytest.approx(f1.mean(), abs=1e-14)


def test_counts_are_those_of_the_metrics() -> None:
    labels, decisions = rows()
    for groups in (None, groups_of(7), np.arange(N) // 40):
        total = group_counts(labels, decisions, groups).sum(axis=0, dtype=np.int64)
        counts = confusion_counts(labels, decisions)
        assert total[:, 0].tolist() == counts.true_positives.tolist()
        assert total[:, 1].tolist() == counts.false_positives.tolist()
        assert total[:, 2].tolist() == counts.false_negatives.tolist()
        assert total[:, 3].tolist() == counts.true_negatives.tolist()
    assert resampled_macro_f1(group_counts(labels, decisions), np.ones((1, N)))[0] == pytest.approx(
        macro_f1(labels, decisions), abs=1e-15
    )


def test_groups_come_in_order_whatever_the_order_of_rows() -> None:
    labels, decisions = rows()
    groups = np.arange(N) % 11
    counts = group_counts(labels, decisions, groups)
    assert counts.shape == (11, C, 4)
    assert (
        counts[3].tolist() == group_counts(labels[groups == 3], decisions[groups == 3], groups[groups == 3])[0].tolist()
    )


def test_large_groups_do_not_overflow() -> None:
    labels, decisions = np.ones((70_000, 1)), np.ones((70_000, 1), dtype=bool)
    groups = (np.arange(70_000) < 69_000).astype(int)
    assert group_counts(labels, decisions, groups)[:, 0, 0].tolist() == [1000, 69_000]
    assert score_interval(labels, decisions, groups=groups, n_resamples=5).low == 1.0


def test_all_systems_share_their_resamples() -> None:
    labels, decisions = rows()
    other = ~decisions
    both = bootstrap_macro_f1(labels, [decisions, other, decisions], groups=groups_of(3), n_resamples=40)
    assert both.shape == (3, 40)
    assert both[0].tolist() == both[2].tolist()
    assert both[0].tolist() != both[1].tolist()


@pytest.mark.parametrize("groups", [None, groups_of(5)])
def test_identical_systems_differ_by_exactly_nothing(groups: NDArray[np.str_] | None) -> None:
    labels, decisions = rows()
    interval = paired_interval(labels, decisions, other=decisions.copy(), groups=groups)
    assert (interval.point, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_the_order_of_rows_does_not_matter_where_there_are_groups() -> None:
    labels, decisions = rows()
    groups = groups_of(4)
    shuffled = np.random.default_rng(3).permutation(N)
    first = score_interval(labels, decisions, groups=groups)
    assert score_interval(labels[shuffled], decisions[shuffled], groups=groups[shuffled]) == first


@pytest.mark.parametrize("groups", [None, groups_of(4)])
def test_every_call_draws_the_same_resamples(groups: NDArray[np.str_] | None) -> None:
    """However many systems are looked at, and however many rows count the same."""
    labels, decisions = rows()
    systems = [decisions, ~decisions, labels == 1]
    together = bootstrap_macro_f1(labels, systems, groups=groups, n_resamples=30)
    alone = [bootstrap_macro_f1(labels, [system], groups=groups, n_resamples=30)[0] for system in systems]
    assert together.tolist() == [scores.tolist() for scores in alone]
    marked = np.eye(N)
    some, more = (resampled_totals(marked[:, :n], groups=groups, n_resamples=30) for n in (3, 7))
    assert some.tolist() == more[:, :3].tolist()


def test_the_seed_decides_and_nothing_else() -> None:
    labels, decisions = rows()
    assert score_interval(labels, decisions, seed=1) == score_interval(labels, decisions, seed=1)
    assert score_interval(labels, decisions, seed=1) != score_interval(labels, decisions, seed=2)


def test_portions_and_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, decisions = rows()
    systems = [decisions, ~decisions, labels == 1]
    whole = bootstrap_macro_f1(labels, systems, n_resamples=30)
    monkeypatch.setattr(resampling, "_CELLS", 1000)
    assert bootstrap_macro_f1(labels, systems, n_resamples=30).tolist() == whole.tolist()


def test_rows_are_drawn_as_often_as_chance_has_it() -> None:
    """Mean and spread of 4,000 resamples, against rows drawn by numpy's multinomial."""
    labels, decisions = rows(n=400, missing=0.0)
    found = bootstrap_macro_f1(labels, [decisions], n_resamples=4000)[0]
    weights = np.random.default_rng(5).multinomial(400, np.full(400, 1 / 400), size=4000)
    by_hand = resampled_macro_f1(group_counts(labels, decisions), weights)
    assert found.mean() == pytest.approx(by_hand.mean(), abs=4 * by_hand.std() / math.sqrt(2000))
    assert found.std() == pytest.approx(by_hand.std(), rel=0.06)


def test_rows_of_one_group_that_err_together_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((rng.random((40, C)) < 0.4).astype(float), 10, axis=0)
    decisions = (labels == 1) ^ np.repeat(rng.random((40, C)) < 0.2, 10, axis=0)
    rows_alone = score_interval(labels, decisions)
    whole_groups = score_interval(labels, decisions, groups=groups_of(10, 400))
    ratio = (whole_groups.high - whole_groups.low) / (rows_alone.high - rows_alone.low)
    assert 2.5 < ratio < 4.0  # ten equal rows a group: the square root of ten


def test_the_interval_covers_what_it_should() -> None:
    """300 samples of 60 patients with 4 equal images each: 95 % of the intervals should hold the true macro-F1."""
    rng = np.random.default_rng(0)
    truth = 0.6
    recall, false_alarms = 0.6, 0.4 * 0.5 / 0.5  # of half the patients: 2 TP / (2 TP + FP + FN) = 0.6
    covered = 0
    for number in range(300):
        labels = rng.random((60, 1)) < 0.5
        decisions = np.where(labels, rng.random((60, 1)) < recall, rng.random((60, 1)) < false_alarms)
        interval = score_interval(
            np.repeat(labels.astype(float), 4, axis=0),
            np.repeat(decisions, 4, axis=0),
            groups=groups_of(4, 240),
            n_resamples=400,
            seed=number,
        )
        covered += interval.low <= truth <= interval.high
    assert 0.91 <= covered / 300 <= 0.98


def test_classes_without_labels_are_left_out_and_those_without_hits_count_as_nothing() -> None:
    labels, decisions = rows()
    wider = np.column_stack([labels, np.full(N, np.nan)]), np.column_stack([decisions, np.ones(N, dtype=bool)])
    assert score_interval(*wider) == score_interval(labels, decisions)
    never = np.column_stack([labels, np.zeros(N)]), np.column_stack([decisions, np.zeros(N, dtype=bool)])
    assert score_interval(*never).high == pytest.approx(score_interval(labels, decisions).high * 3 / 4)


def test_any_score_of_sums_is_resampled_the_same_way() -> None:
    labels, decisions = rows(missing=0.0)
    hits, errors = (labels == 1) & decisions, (labels == 1) ^ decisions
    statistics = np.stack([hits, errors], axis=2).reshape(N, -1)
    expected = bootstrap_macro_f1(labels, [decisions], groups=groups_of(3), n_resamples=50)[0]
    for values in (statistics, statistics.astype(np.uint8), statistics.astype(int)):
        totals = resampled_totals(values, groups=groups_of(3), n_resamples=50).reshape(50, C, 2)
        f1 = 2 * totals[..., 0] / np.maximum(2 * totals[..., 0] + totals[..., 1], 1)
        assert f1.mean(axis=1).tolist() == expected.tolist()


def test_statistics_may_be_fractions_or_below_zero() -> None:
    fractions = resampled_totals(np.linspace(0, 1, N)[:, None] / 3, n_resamples=3000)
    assert fractions.mean() == pytest.approx(N / 6, rel=0.01)
    signs = resampled_totals(np.where(np.arange(N) % 2, 1, -1)[:, None], n_resamples=3000)
    assert abs(signs.mean()) < 4 * math.sqrt(N / 3000)
    assert signs.std() == pytest.approx(math.sqrt(N), rel=0.1)


def test_without_any_label_there_is_no_score() -> None:
    nothing = np.full((6, 2), np.nan)
    interval = score_interval(nothing, np.ones((6, 2), dtype=bool), n_resamples=10)
    assert all(math.isnan(value) for value in (interval.point, interval.low, interval.high))
    assert math.isnan(resampled_macro_f1(group_counts(nothing, np.ones((6, 2))), np.ones((1, 6)))[0])


def test_the_interval_is_the_middle_of_the_resamples() -> None:
    interval = interval_of(7.0, np.arange(1001.0))
    assert (interval.point, interval.low, interval.high) == (7.0, pytest.approx(25.0), pytest.approx(975.0))


def test_what_cannot_be_resampled_is_refused() -> None:
    labels, decisions = rows()
    with pytest.raises(ArrayError, match=r"at least 2 groups .* and 1 resample, got 1 and 2000"):
        score_interval(labels, decisions, groups=np.zeros(N))
    with pytest.raises(ArrayError, match=r"and 1 resample, got 120 and 0"):
        score_interval(labels, decisions, n_resamples=0)
    with pytest.raises(ArrayError, match=r"groups: expected one a row, one of each of 120 rows, got shape \(119,\)"):
        score_interval(labels, decisions, groups=np.zeros(119))
