"""The blend without each of its members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable


def means_without_each(tables: Sequence[PredictionTable]) -> list[PredictionTable]:
    """For each of M tables, the plain mean of the probabilities of all others, as float32 logits.

    Sums of those before and those after a member are kept, so that the work grows with M, not with its square, and
    nothing is subtracted.

    Args:
        tables: At least two, of the same images and classes in the same order (``join_members``).

    Raises:
        AlignmentError: There are fewer, or they do not match.
    """
    if len(tables) < 2:
        raise AlignmentError(f"a blend without one member needs another one, got {len(tables)}")
    _refuse_others(tables)
    values = np.empty((len(tables), *tables[0].values.shape), dtype=np.float32)
    for column in range(values.shape[2]):
        positive, negative = _both_sides(tables, column)
        with np.errstate(divide="ignore"):
            values[:, :, column] = np.log(_sums_of_others(positive)) - np.log(_sums_of_others(negative))
    first = tables[0]
    return [PredictionTable(first.image_ids, first.class_names, own, folds=first.folds) for own in values]


def _both_sides(tables: Sequence[PredictionTable], column: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability and its complement for one class, shape (M, N) each, both exact where they are small."""
    values = np.stack([table.values[:, column] for table in tables]).astype(np.float64)
    logits = np.array([[table.scale == "logits"] for table in tables])
    with np.errstate(over="ignore"):
        return np.where(logits, expit(values), values), np.where(logits, expit(-values), 1.0 - values)


def _sums_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (M, N): the sum of all rows but the own one."""
    nothing = np.zeros_like(values[:1])
    before = np.concatenate([nothing, values[:-1].cumsum(axis=0)])
    after = np.concatenate([values[:0:-1].cumsum(axis=0)[::-1], nothing])
    return np.asarray(before + after)


def _refuse_others(tables: Sequence[PredictionTable]) -> None:
    first = tables[0]
    if any(not np.array_equal(t.image_ids, first.image_ids) or t.class_names != first.class_names for t in tables[1:]):
        raise AlignmentError("tables of other images or classes cannot be averaged: join them first (join_members)")
