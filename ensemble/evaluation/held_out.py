"""Responses of a classifier to rows that it was not fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from ensemble.arrays import ArrayError
from ensemble.evaluation.targets import Targets, read_targets
from ensemble.folds import stratified_group_folds

Part = tuple[NDArray[np.intp], NDArray[np.intp]]
_INNER_FOLDS = 5


class EvenFolds(BaseCrossValidator):  # type: ignore[misc]  # scikit-learn has no types
    """``stratified_group_folds`` as scikit-learn's splitters are: multi-label, and no group in two folds.

    Attributes:
        n_splits: K.
        seed: The only source of chance.
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012 - scikit-learn's form

    def __init__(self, n_splits: int, seed: int) -> None:
        self.n_splits = n_splits
        self.seed = seed

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's
        """K."""
        return self.n_splits

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[Part]:  # noqa: ARG002
        """The K pairs of rows to fit on and rows held out."""
        labels = read_targets(y).labels
        folds = stratified_group_folds(labels, groups, n_folds=self.n_splits, seed=self.seed)
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def splitter_of(cv: Any, *, n_rows: int, seed: int) -> Any:
    """What ``cv`` means, as in scikit-learn, but that a number means ``EvenFolds``.

    Args:
        cv: A number of folds (None: 5), a splitter, or pairs of row numbers.
        n_rows: N.
        seed: Of folds that are made.

    Raises:
        ArrayError: It is none of these.
    """
    wanted = 5 if cv is None else cv
    if isinstance(wanted, bool | float | str):
        raise ArrayError(
            f'cv: expected a number of folds, a splitter, pairs of row numbers or "prefit", got {wanted!r}'
        )
    if not isinstance(wanted, Integral):
        return check_cv(wanted)
    if not 2 <= int(wanted) <= n_rows:
        raise ArrayError(f"cv: expected 2 to {n_rows} folds, as n_samples = {n_rows}, got {wanted}")
    return EvenFolds(int(wanted), seed)


@dataclass(frozen=True, eq=False)
class Given:
    """What ``fit`` was given.

    Attributes:
        X: N rows, as the classifier takes them.
        targets: Of these rows.
        fit_params: More for the classifier's ``fit``.
    """

    X: Any
    targets: Targets
    fit_params: Mapping[str, Any]

    def fit(self, estimator: Any, index: NDArray[np.intp] | None = None) -> Any:
        """Fit a clone on the chosen rows (None: on all); of whatever else has N entries, it is given theirs."""
        if index is None:
            return clone(estimator).fit(self.X, self.targets.given, **self.fit_params)
        n_rows = len(self.targets.labels)
        own = {
            name: _safe_indexing(value, index) if _entries(value) == n_rows else value
            for name, value in self.fit_params.items()
        }
        return clone(estimator).fit(_safe_indexing(self.X, index), _safe_indexing(self.targets.given, index), **own)


def _entries(value: Any) -> int | None:
    if isinstance(value, str) or not (hasattr(value, "__len__") or hasattr(value, "shape")):
        return None
    return int(value.shape[0]) if getattr(value, "shape", ()) else len(value)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows that were held out, in the order of the parts.

    Attributes:
        index: Shape (n,): which rows.
        folds: Shape (n,), int16: in which part.
        values: Shape (n, C): responses.
    """

    index: NDArray[np.intp]
    folds: NDArray[np.int16]
    values: NDArray[np.float64]


def parts_of(splitter: Any, given: Given, params: Mapping[str, Any], groups: NDArray[Any] | None = None) -> list[Part]:
    """The parts by a splitter, if thresholds can be chosen on them.

    Args:
        splitter: As in scikit-learn.
        given: N rows.
        params: For ``split``, e.g. the groups.
        groups: Shape (N,), what must not be divided; None: every row is independent.

    Raises:
        ArrayError: There is no part, a row is held out more than once, or a group is divided.
    """
    y = given.targets.given if given.targets.classes is not None else given.targets.labels
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored")  # they are looked at below
        found = list(splitter.split(given.X, y, **params))
    parts = [(np.asarray(fitting), np.asarray(held_out)) for fitting, held_out in found]
    if not parts:
        raise ArrayError("cv: expected at least one split, got none")
    counts = np.unique(np.concatenate([held_out for _, held_out in parts]), return_counts=True)[1]
    if (more := int((counts > 1).sum())) > 0:
        raise ArrayError(
            f"cv: expected each row in at most one validation part, got {more} rows in several. Splitters that repeat "
            "(RepeatedKFold, ShuffleSplit with several splits) score a row by several models: give one that divides"
        )
    if groups is not None:
        _refuse_divided(parts, groups)
    return parts


def _refuse_divided(parts: Sequence[Part], groups: NDArray[Any]) -> None:
    """A model that was fitted on rows of a group has seen the others, too: their score would be flattered."""
    numbers = np.unique(groups, return_inverse=True)[1]
    elsewhere = np.concatenate([held_out for _, held_out in parts])
    divided = set[int]()
    for fitting, held_out in parts:
        others = np.setdiff1d(np.concatenate([fitting, elsewhere]), held_out)
        divided |= set(np.intersect1d(numbers[held_out], numbers[others]).tolist())
    if n_divided := len(divided):
        raise ArrayError(
            f"cv: expected every group whole on one side of each split, got {n_divided} of {numbers.max() + 1} "
            "divided: scores of their rows would be flattered. Give a number of folds, or a splitter that heeds "
            "groups, e.g. GroupKFold"
        )


def respond(
    estimator: Any,
    given: Given,
    *,
    parts: Sequence[Part],
    read: Callable[[Any, Any], NDArray[np.float64]],
    n_jobs: int | None,
) -> HeldOut:
    """Fit a clone for each part, and ask it about the rows held out.

    Args:
        estimator: To be cloned.
        given: N rows.
        parts: As from ``parts_of``.
        read: From a fitted classifier and n rows to responses, shape (n, C).
        n_jobs: As in scikit-learn.
    """

    def one(fitting: NDArray[np.intp], held_out: NDArray[np.intp]) -> NDArray[np.float64]:
        return read(given.fit(estimator, fitting), _safe_indexing(given.X, held_out))

    values = Parallel(n_jobs=n_jobs)(delayed(one)(*part) for part in parts)
    index = np.concatenate([held_out for _, held_out in parts])
    folds = np.repeat(np.arange(len(parts), dtype=np.int16), [len(held_out) for _, held_out in parts])
    return HeldOut(index, folds, np.concatenate(values))


def at_least_two_folds(
    folds: NDArray[np.int16], labels: NDArray[np.float64], groups: NDArray[Any] | None, *, seed: int
) -> NDArray[np.int16]:
    """The same, or where there is a single part, whose model has seen none of it, folds that are made.

    Args:
        folds: Shape (n,), of the rows that were held out.
        labels: Shape (n, C).
        groups: Shape (n,), or None.
        seed: The only source of chance.

    Raises:
        FoldError: There are fewer than two groups (rows).
    """
    if len(np.unique(folds)) > 1:
        return folds
    n_units = len(labels) if groups is None else len(np.unique(groups))
    return stratified_group_folds(labels, groups, n_folds=min(_INNER_FOLDS, max(n_units, 2)), seed=seed)
