from __future__ import annotations

import numpy as np
import pytest

from ensemble.folds.block import Block
from ensemble.folds.features import combinations_of
from ensemble.folds.placement import Placement
from ensemble.folds.search import improve, place_groups, place_leftovers
from ensemble.folds.units import Units, build_units

K = 4


@pytest.fixture
def units() -> Units:
    rng = np.random.default_rng(0)
    owners = np.sort(rng.integers(0, 40, 300))
    owners = np.unique(owners, return_inverse=True)[1]
    labels = (rng.random((300, 3)) < [0.5, 0.2, 0.1]).astype(np.float64)
    labels[rng.random(300) < 0.3, 1] = np.nan
    return build_units(labels, owners, n_folds=K)


@pytest.fixture
def leftovers() -> Units:
    rng = np.random.default_rng(1)
    labels = (rng.random((90, 6)) < 0.3).astype(np.float64)
    kinds = combinations_of(labels)
    ranks = np.array([np.count_nonzero(kinds[:i] == kind) for i, kind in enumerate(kinds)])
    labels = labels[ranks < K - 1]
    return build_units(labels, np.arange(len(labels)), n_folds=K, kinds=combinations_of(labels))


def placed(units: Units) -> Placement:
    return place_groups(units, np.arange(len(units)), n_folds=K)


def place_kinds_together(units: Units) -> Placement:
    assert units.kinds is not None
    return place_leftovers(units, np.argsort(units.kinds, kind="stable"), n_folds=K)


def fresh_copy(placement: Placement) -> Placement:
    """The same folds, every number computed anew."""
    copy = Placement(placement.units, K)
    for unit, fold in enumerate(placement.folds.tolist()):
        copy.put(unit, fold)
    return copy


def test_all_numbers_are_whole_and_small_enough_to_be_exact(units: Units) -> None:
    for numbers in (units.counts, units.weighted, units.totals):
        assert np.array_equal(numbers, np.round(numbers))
    largest = np.zeros(len(units.totals))
    np.maximum.at(largest, units.features, np.abs(units.weighted))
    assert 2**30 < 4 * K * np.sum(largest * K * units.totals) < 2**53


def test_objective_is_the_quadratic_form(units: Units) -> None:
    """The cost that the search uses equals the formula, from a dense price matrix that is solved for."""
    placement = placed(units)
    counts, weighted, _ = units.dense(np.arange(len(units)))
    prices = np.linalg.lstsq(counts, weighted, rcond=None)[0]
    expected = np.einsum("fk,fg,gk->", placement.deviations, prices, placement.deviations)
    assert placement.cost == pytest.approx(expected, rel=1e-6)


def test_moves_and_swaps_cost_what_they_are_priced(units: Units) -> None:
    placement = placed(units)
    rng = np.random.default_rng(0)
    for _ in range(50):
        block = Block(placement, np.arange(len(units)))
        change = block.kick(rng) if rng.random() < 0.5 else block.best_step()
        before = placement.cost
        for unit, fold in enumerate(block.folds.tolist()):
            if fold != placement.folds[unit]:
                placement.put(unit, fold)
        assert placement.cost - before == 2 * K * change
        assert np.array_equal(placement.deviations, fresh_copy(placement).deviations)
        assert np.array_equal(placement.members, np.bincount(placement.folds, minlength=K))


def test_a_single_block_ends_where_no_move_or_swap_helps(units: Units) -> None:
    placement = placed(units)
    start = placement.cost
    improve(placement, np.random.default_rng(0), rounds=1, kicks=20)
    assert placement.cost < start
    best = placement.cost
    for one in range(len(units)):
        for other in range(one):
            folds = placement.folds[one], placement.folds[other]
            placement.put(one, folds[1])
            placement.put(other, folds[0])
            assert placement.cost >= best
            placement.put(one, folds[0])
            placement.put(other, folds[1])


def test_leftovers_keep_their_two_promises(leftovers: Units) -> None:
    placement = place_kinds_together(leftovers)
    kinds = leftovers.kinds
    assert kinds is not None
    for _ in range(2):
        assert placement.members.max() - placement.members.min() <= 1
        assert len(set(zip(kinds.tolist(), placement.folds.tolist(), strict=True))) == len(leftovers)
        improve(placement, np.random.default_rng(0), rounds=2, kicks=200)
    block = Block(placement, np.arange(len(leftovers)))
    taken = {(kind, fold) for kind, fold in zip(kinds.tolist(), placement.folds.tolist(), strict=True)}
    expected = [[(kind, fold) in taken for fold in range(K)] for kind in kinds.tolist()]
    assert np.array_equal(block.closed, expected)


def test_blocks_of_leftovers_know_the_units_outside(leftovers: Units) -> None:
    placement = place_kinds_together(leftovers)
    rng = np.random.default_rng(0)
    kinds = leftovers.kinds
    assert kinds is not None
    for chosen in np.array_split(rng.permutation(len(leftovers)), 3):
        Block(placement, chosen).run(rng, kicks=10)
    assert len(set(zip(kinds.tolist(), placement.folds.tolist(), strict=True))) == len(leftovers)
    assert placement.members.max() - placement.members.min() <= 1
    assert np.array_equal(placement.deviations, fresh_copy(placement).deviations)
