"""The splitter: K folds, even in everything that is counted, and no group in two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.errors import FoldError
from ensemble.folds.features import combinations_of
from ensemble.folds.search import improve, place_groups, place_leftovers
from ensemble.folds.units import Units, build_units

_ROUNDS, _KICKS = 8, 1000
_MOST_FOLDS = np.iinfo(np.int16).max


def stratified_group_folds(
    labels: ArrayLike, groups: ArrayLike | None = None, *, n_folds: int = 5, seed: int = 0
) -> NDArray[np.int16]:
    """Divide rows into folds that resemble one another, without splitting a group.

    Even over the folds are: each class's rate among the rows labelled for it, each label combination (all-zero rows are
    one), the number of rows, pairs of classes, the labelled rows of classes that are not labelled everywhere, and the
    groups that carry a class. Minimised is the weighted sum of squared deviations, each relative to its even share, so
    that rare classes count as much as frequent ones.

    Without groups each combination's rows are dealt out, so that no two folds differ by more than one row in any
    combination, nor in size; a search places the remainders. With groups the hardest group goes first, each to where it
    is missed most; then groups move and change places as long as that helps.

    The same input and seed give the same folds on any machine, with any number of threads. With groups the order of the
    rows is irrelevant; without, which of several equally labelled rows goes where depends on it: sort by id first, as
    ``ensure_folds`` does.

    Source: the greedy start follows Sechidis, Tsoumakas & Vlahavas, "On the Stratification of Multi-Label Data" (2011),
    https://doi.org/10.1007/978-3-642-23808-6_10, with groups in place of rows.

    Args:
        labels: Shape (N, C), 0 or 1; NaN for "not labelled", which counts neither as positive nor as negative.
        groups: Shape (N,), what must stay together, e.g. the patient; None if every row is independent.
        n_folds: The number of folds K, at least 2 and at most the number of groups (rows, without groups).
        seed: Not negative; another seed gives another, equally even division.

    Returns:
        Shape (N,), int16: the fold of each row, 0 to K - 1. No fold is empty.

    Raises:
        FoldError: The labels are not 0, 1 or NaN in two dimensions, ``groups`` has another length, or ``n_folds`` or
            ``seed`` is out of range.
    """
    values, owners = _checked(labels, groups)
    _check_numbers(
        n_folds, seed, n_units=len(values) if owners is None else int(owners.max()) + 1, grouped=groups is not None
    )
    rng = np.random.Generator(np.random.PCG64(seed))
    if owners is None:
        return _image_folds(values, n_folds, rng)
    units = build_units(values, owners, n_folds=n_folds)
    placement = place_groups(units, _hardest_first(units, rng), n_folds=n_folds)
    improve(placement, rng, rounds=_ROUNDS, kicks=_KICKS)
    return placement.folds[owners].astype(np.int16)


def _checked(labels: ArrayLike, groups: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Labels as float64 (N, C), and the number of each row's group, in the order of the groups' names."""
    values = np.asarray(labels, dtype=np.float64)
    if values.ndim != 2 or not len(values):
        raise FoldError(f"labels: expected shape (N, C) with at least one row, got {values.shape}")
    if len(wrong := np.argwhere(~(np.isnan(values) | (values == 0) | (values == 1)))):
        row, column = wrong[0]
        raise FoldError(
            f"labels: expected 0, 1 or NaN, got {len(wrong)} other values, the first in row {row}, class {column}: "
            f"{values[row, column]}"
        )
    if groups is None:
        return values, None
    names = np.asarray(groups)
    if names.shape != (len(values),):
        raise FoldError(f"groups: expected one for each of the {len(values)} rows of labels, got shape {names.shape}")
    return values, np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _check_numbers(n_folds: int, seed: int, *, n_units: int, grouped: bool) -> None:
    if not 2 <= n_folds <= _MOST_FOLDS:
        raise FoldError(f"n_folds: expected 2 to {_MOST_FOLDS}, got {n_folds}")
    things = "groups" if grouped else "images"
    if n_units < 2:
        raise FoldError(f"expected at least 2 {things} to divide into folds, got {n_units}")
    if n_folds > n_units:
        raise FoldError(f"n_folds is {n_folds}, but there are only {n_units} {things}: choose at most {n_units} folds")
    if seed < 0:
        raise FoldError(f"the fold seed: expected 0 or more, got {seed}")


def _hardest_first(units: Units, rng: np.random.Generator) -> NDArray[np.int64]:
    """Units by what they would cost as the whole deviation of a fold: big ones and rare ones first, ties at random."""
    difficulty = np.add.reduceat(units.weighted * units.counts, units.starts[:-1])
    shuffled = rng.permutation(len(units))
    return shuffled[np.argsort(-difficulty[shuffled], kind="stable")]


def _image_folds(labels: NDArray[np.float64], n_folds: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Deal each combination's rows out in full rounds; only its remainder, fewer than K rows, needs a search."""
    combinations = combinations_of(labels)
    order = rng.permutation(len(labels))
    order = order[np.argsort(combinations[order], kind="stable")]
    sizes = np.bincount(combinations)
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    folds = np.empty(len(labels), dtype=np.int16)
    folds[order] = ranks % n_folds
    left = order[ranks >= np.repeat(sizes - sizes % n_folds, sizes)]
    if len(left):
        owners = np.full(len(labels), -1, dtype=np.int64)
        owners[left] = np.arange(len(left))
        folds[left] = _leftover_folds(
            build_units(labels, owners, n_folds=n_folds, kinds=combinations[left]), n_folds, rng
        )
    return folds


def _leftover_folds(units: Units, n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Shape (U,): kinds whole, the kind of the hardest unit first."""
    kinds = np.zeros(len(units), dtype=np.int64) if units.kinds is None else units.kinds
    order = _hardest_first(units, rng)
    first = np.full(kinds.max() + 1, len(units))
    np.minimum.at(first, kinds[order], np.arange(len(units)))
    placement = place_leftovers(units, order[np.argsort(first[kinds[order]], kind="stable")], n_folds=n_folds)
    improve(placement, rng, rounds=_ROUNDS, kicks=_KICKS)
    return placement.folds
