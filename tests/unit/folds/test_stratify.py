from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.errors import FoldError
from ensemble.folds import measure_imbalance, stratified_group_folds
from ensemble.folds.features import combinations_of


def clustered(n_groups: int, n_classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Rows whose labels depend on their group, groups of 1 to some 30 rows."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(n_groups), 1 + rng.geometric(0.15, n_groups))
    rates = rng.beta(0.3, 1.5, (n_groups, n_classes))
    labels = (rng.random((len(owners), n_classes)) < rates[owners]).astype(np.float64)
    return labels, np.array([f"p{owner:04d}" for owner in owners])


def spread(counts: NDArray[np.int64]) -> int:
    return int(counts.max() - counts.min())


def counts_of(folds: NDArray[np.int16], chosen: NDArray[np.bool_], n_folds: int) -> NDArray[np.int64]:
    return np.bincount(folds[chosen], minlength=n_folds)


def test_no_group_is_split_and_no_fold_is_empty() -> None:
    labels, groups = clustered(60, 4)
    folds = stratified_group_folds(labels, groups, n_folds=7)
    assert folds.shape == (len(labels),)
    assert folds.dtype == np.int16
    assert set(folds.tolist()) == set(range(7))
    for group in np.unique(groups):
        assert len(set(folds[groups == group].tolist())) == 1


def test_images_are_even_in_size_and_combination() -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((1003, 5)) < [0.4, 0.3, 0.1, 0.05, 0.01]).astype(np.float64)
    folds = stratified_group_folds(labels, n_folds=6)
    assert spread(np.bincount(folds)) <= 1
    combinations = combinations_of(labels)
    for combination in np.unique(combinations):
        assert spread(counts_of(folds, combinations == combination, 6)) <= 1
    for column in labels.T:
        assert spread(counts_of(folds, column == 1, 6)) <= 1


def test_groups_are_far_more_even_than_chance() -> None:
    labels, groups = clustered(150, 4)
    ours = measure_imbalance(labels, stratified_group_folds(labels, groups, n_folds=5), groups=groups)
    rng = np.random.default_rng(0)
    names = np.unique(groups)
    chance = [
        measure_imbalance(labels, rng.permutation(len(names))[np.searchsorted(names, groups)] % 5, groups=groups)
        for _ in range(200)
    ]
    assert ours.class_max < 0.05
    assert min(other.class_max for other in chance) > 0.1
    assert ours.size_max < 0.02
    assert ours.combination_mean < min(other.combination_mean for other in chance)


def test_small_problem_is_near_the_best_division() -> None:
    """Against all divisions of 9 groups into 3 folds, by the measure that people read."""
    labels, groups = clustered(9, 2, seed=3)
    names, owners = np.unique(groups, return_inverse=True)
    ours = measure_imbalance(labels, stratified_group_folds(labels, groups, n_folds=3), groups=groups)
    rest = itertools.product(range(3), repeat=len(names) - 1)
    every = [np.array([0, *choice])[owners] for choice in rest if {1, 2} <= set(choice)]
    totals = [m.class_mean + m.size_mean for m in (measure_imbalance(labels, one, groups=groups) for one in every)]
    better = np.count_nonzero(np.array(totals) < ours.class_mean + ours.size_mean)
    assert better < 0.02 * len(totals)


def test_all_zero_rows_and_whole_folds_of_them() -> None:
    folds = stratified_group_folds(np.zeros((11, 3)), n_folds=4)
    assert spread(np.bincount(folds)) <= 1


def test_same_seed_same_folds_and_another_seed_others() -> None:
    labels, groups = clustered(80, 3)
    for owners in (None, groups):
        first = stratified_group_folds(labels, owners, seed=1)
        assert np.array_equal(first, stratified_group_folds(labels, owners, seed=1))
        assert not np.array_equal(first, stratified_group_folds(labels, owners, seed=2))


def test_folds_are_those_of_the_first_release() -> None:
    """Stored folds would survive a change, but an equal seed should mean equal folds over releases and machines."""
    labels = np.array([[i % 2, i % 3 == 0, i % 7 == 0] for i in range(20)], dtype=np.float64)
    groups = np.array([f"g{i // 2}" for i in range(20)])
    assert stratified_group_folds(labels, n_folds=3, seed=5).tolist() == [
        1,
        0,
        1,
        1,
        2,
        2,
        2,
        2,
        1,
        0,
        2,
        0,
        1,
        2,
        0,
        2,
        0,
        1,
        0,
        1,
    ]
    assert stratified_group_folds(labels, groups, n_folds=3, seed=5).tolist() == [
        2,
        2,
        1,
        1,
        0,
        0,
        1,
        1,
        2,
        2,
        1,
        1,
        0,
        0,
        0,
        0,
        2,
        2,
        2,
        2,
    ]


def test_with_groups_the_order_of_rows_is_irrelevant() -> None:
    labels, groups = clustered(50, 3)
    order = np.random.default_rng(0).permutation(len(labels))
    folds = stratified_group_folds(labels, groups)
    assert np.array_equal(stratified_group_folds(labels[order], groups[order]), folds[order])


def test_unlabelled_values_count_for_neither_side() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random((900, 2)) < [0.3, 0.5]).astype(np.float64)
    labels[rng.random(900) < 0.6, 0] = np.nan
    folds = stratified_group_folds(labels, n_folds=5)
    assert spread(counts_of(folds, labels[:, 0] == 1, 5)) <= 1
    assert spread(counts_of(folds, labels[:, 0] == 0, 5)) <= 1
    assert spread(counts_of(folds, np.isnan(labels[:, 0]), 5)) <= 2


def test_unlabelled_values_with_groups() -> None:
    labels, groups = clustered(200, 3)
    labels[np.random.default_rng(0).random(len(labels)) < 0.5, 1] = np.nan
    measured = measure_imbalance(labels, stratified_group_folds(labels, groups), groups=groups)
    assert measured.class_max < 0.02
    assert measured.size_max < 0.02


def test_many_units_are_searched_in_blocks() -> None:
    labels, groups = clustered(900, 6)
    measured = measure_imbalance(labels, stratified_group_folds(labels, groups), groups=groups)
    assert measured.class_max < 0.02
    assert measured.size_max < 0.01
    rare = (np.random.default_rng(0).random((3000, 40)) < 0.05).astype(np.float64)
    folds = stratified_group_folds(rare)
    assert spread(np.bincount(folds)) <= 1
    assert max(spread(counts_of(folds, column == 1, 5)) for column in rare.T) <= 2


@pytest.mark.parametrize("n_groups", [None, 5])
def test_as_many_folds_as_units(n_groups: int | None) -> None:
    labels = np.eye(5)
    groups = None if n_groups is None else np.arange(5)
    assert sorted(stratified_group_folds(labels, groups, n_folds=5).tolist()) == [0, 1, 2, 3, 4]


def test_one_giant_group_empties_no_fold() -> None:
    groups = np.array([0] * 96 + [1, 2, 3, 4])
    labels = np.zeros((100, 1))
    folds = stratified_group_folds(labels, groups, n_folds=5)
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}


def test_no_classes_at_all() -> None:
    assert spread(np.bincount(stratified_group_folds(np.zeros((10, 0)), n_folds=3))) <= 1


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros(4), {}, r"expected shape \(N, C\) with at least one row, got \(4,\)"),
        (np.zeros((0, 2)), {}, "at least one row"),
        (np.array([[0, 1], [2, 0], [0, 3]]), {}, "got 2 other values, the first in row 1, class 0: 2.0"),
        (np.zeros((4, 1)), {"groups": [1, 2]}, r"expected one for each of the 4 rows of labels, got shape \(2,\)"),
        (np.zeros((4, 1)), {"n_folds": 1}, "n_folds: expected 2 to 32767, got 1"),
        (np.zeros((4, 1)), {"n_folds": 5}, "only 4 images: choose at most 4 folds"),
        (np.zeros((4, 1)), {"groups": list("aabb"), "n_folds": 3}, "only 2 groups: choose at most 2 folds"),
        (np.zeros((4, 1)), {"groups": list("aaaa"), "n_folds": 3}, "expected at least 2 groups to divide"),
        (np.zeros((4, 1)), {"n_folds": 2, "seed": -1}, "the fold seed: expected 0 or more, got -1"),
    ],
)
def test_refusals(labels: NDArray[np.float64], options: dict[str, object], message: str) -> None:
    with pytest.raises(FoldError, match=message):
        stratified_group_folds(labels, **options)  # type: ignore[arg-type]
