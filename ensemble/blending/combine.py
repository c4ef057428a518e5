"""Combine members into one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable


def uniform_weights(n_members: int) -> NDArray[np.float64]:
    """The plain mean: shape (M,), all equal, sum 1."""
    return np.full(n_members, 1.0 / n_members)


def mean_of_probabilities(
    tables: Sequence[PredictionTable], weights: NDArray[np.float64], *, notes: Mapping[str, str] | None = None
) -> PredictionTable:
    r"""The weighted mean of members' probabilities, :math:`\bar p = \sum_m w_m p_m`.

    It is stored as the float32 logit of the mean, a difference of two log-means, so that it stays exact where
    probabilities round to 0 or 1. The stored table *is* the blend: thresholds are chosen on what it says, so that
    decisions can be made again from the file.

    Args:
        tables: M tables of the same images and classes in the same order (``join_members``).
        weights: Shape (M,), >= 0, sum 1.
        notes: Kept with the table.

    Raises:
        AlignmentError: The tables do not match, or the weights are not such.
    """
    _check(tables, weights)
    log_weights = np.log(weights, where=weights > 0, out=np.full(len(tables), -np.inf))
    log_positive = np.full(tables[0].values.shape, -np.inf)
    log_negative = log_positive.copy()
    for table, log_weight in zip(tables, log_weights, strict=True):
        positive, negative = _log_probabilities(table)
        np.logaddexp(log_positive, log_weight + positive, out=log_positive)
        np.logaddexp(log_negative, log_weight + negative, out=log_negative)
    values = (log_positive - log_negative).astype(np.float32)
    first = tables[0]
    return PredictionTable(first.image_ids, first.class_names, values, folds=first.folds, notes=notes or {})


def _check(tables: Sequence[PredictionTable], weights: NDArray[np.float64]) -> None:
    if not tables or weights.shape != (len(tables),):
        raise AlignmentError(f"a blend needs members and one weight each, got {len(tables)} and {weights.shape}")
    if not (weights >= 0).all() or abs(float(weights.sum()) - 1.0) > 1e-9:
        raise AlignmentError(f"weights must not be negative and sum to 1, got {weights.tolist()}")
    first = tables[0]
    for table in tables[1:]:
        if not np.array_equal(table.image_ids, first.image_ids) or table.class_names != first.class_names:
            raise AlignmentError("tables of other images or classes cannot be averaged: join them first (join_members)")


def _log_probabilities(table: PredictionTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The logs of p and 1 - p, shape (N, C) each, float64."""
    values = table.values.astype(np.float64)
    if table.scale == "logits":
        return -np.logaddexp(0.0, -values), -np.logaddexp(0.0, values)
    with np.errstate(divide="ignore"):
        return np.log(values), np.log1p(-values)
