"""What holds of folds whatever the labels and groups are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from ensemble.folds import measure_imbalance, stratified_group_folds
from ensemble.folds.features import combinations_of

Labels = NDArray[np.float64]


@st.composite
def problems(draw: st.DrawFn, *, missing: bool = True) -> tuple[Labels, NDArray[np.int64], int, int]:
    """Labels (N, C), groups (N,), the number of folds (at most that of groups), a seed."""
    n_rows, n_classes = draw(st.integers(2, 60)), draw(st.integers(1, 5))
    values = st.sampled_from([0.0, 0.0, 1.0, np.nan] if missing else [0.0, 0.0, 1.0])
    labels = draw(hnp.arrays(np.float64, (n_rows, n_classes), elements=values))
    groups = draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, n_rows)))
    groups[:2] = -1, -2
    n_folds = draw(st.integers(2, min(6, len(np.unique(groups)))))
    return labels, groups, n_folds, draw(st.integers(0, 2**31))


@settings(max_examples=40, deadline=None)
@given(problems())
def test_groups_stay_whole_and_all_folds_are_there(problem: tuple[Labels, NDArray[np.int64], int, int]) -> None:
    labels, groups, n_folds, seed = problem
    folds = stratified_group_folds(labels, groups, n_folds=n_folds, seed=seed)
    assert folds.shape == groups.shape
    assert set(folds.tolist()) == set(range(n_folds))
    assert len(set(zip(groups.tolist(), folds.tolist(), strict=True))) == len(np.unique(groups))
    assert np.array_equal(folds, stratified_group_folds(labels, groups, n_folds=n_folds, seed=seed))


@settings(max_examples=20, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_with_groups_row_order_does_not_matter(
    problem: tuple[Labels, NDArray[np.int64], int, int], random: np.random.Generator
) -> None:
    labels, groups, n_folds, seed = problem
    order = list(range(len(labels)))
    random.shuffle(order)
    folds = stratified_group_folds(labels, groups, n_folds=n_folds, seed=seed)
    assert np.array_equal(
        stratified_group_folds(labels[order], groups[order], n_folds=n_folds, seed=seed), folds[order]
    )


@settings(max_examples=40, deadline=None)
@given(problems())
def test_images_differ_by_at_most_one_in_size_and_combination(
    problem: tuple[Labels, NDArray[np.int64], int, int],
) -> None:
    labels, _, n_folds, seed = problem
    folds = stratified_group_folds(labels, n_folds=n_folds, seed=seed)
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1
    combinations = combinations_of(labels)
    table = np.zeros((combinations.max() + 1, n_folds), dtype=np.int64)
    np.add.at(table, (combinations, folds), 1)
    assert np.all(table.max(axis=1) - table.min(axis=1) <= 1)


@settings(max_examples=25, deadline=None)
@given(problems(missing=False))
def test_images_of_a_class_differ_little(problem: tuple[Labels, NDArray[np.int64], int, int]) -> None:
    """Three classes: at most eight combinations, whose remainders the search must balance against one another."""
    labels, _, n_folds, seed = problem
    labels = labels[:, :3]
    folds = stratified_group_folds(labels, n_folds=n_folds, seed=seed)
    for column in labels.T:
        counts = np.bincount(folds[column == 1], minlength=n_folds)
        assert counts.max() - counts.min() <= 2


@settings(max_examples=15, deadline=None)
@given(problems())
def test_groups_of_one_are_measured_as_images_are(problem: tuple[Labels, NDArray[np.int64], int, int]) -> None:
    labels, _, n_folds, seed = problem
    folds = stratified_group_folds(labels, n_folds=n_folds, seed=seed)
    assert measure_imbalance(labels, folds) == measure_imbalance(labels, folds, groups=np.arange(len(labels)))
