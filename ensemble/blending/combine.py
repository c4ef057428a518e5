"""Combine members into one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.averages import checked_weights, logit_of_mean
from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable


def uniform_weights(n_members: int) -> NDArray[np.float64]:
    """The plain mean: shape (M,), all equal, sum 1."""
    return np.full(n_members, 1.0 / n_members)


def mean_of_probabilities(
    tables: Sequence[PredictionTable], weights: NDArray[np.float64], *, notes: Mapping[str, str] | None = None
) -> PredictionTable:
    r"""The weighted mean of members' probabilities, :math:`\bar p = \sum_m w_m p_m`.

    It is stored as the float32 logit of the mean, a difference of two log-means (``logit_of_mean``), so that it stays
    exact where probabilities round to 0 or 1. The stored table *is* the blend: thresholds are chosen on what it says,
    so that decisions can be made again from the file.

    Args:
        tables: M tables of the same images and classes in the same order (``join_members``).
        weights: Shape (M,), >= 0, sum 1.
        notes: Kept with the table.

    Raises:
        AlignmentError: The tables do not match, or the weights are not such.
    """
    _check(tables, weights)
    are_logits = [table.scale == "logits" for table in tables]
    values = logit_of_mean([table.values for table in tables], weights, are_logits=are_logits)
    first = tables[0]
    return PredictionTable(first.image_ids, first.class_names, values, folds=first.folds, notes=notes or {})


def _check(tables: Sequence[PredictionTable], weights: NDArray[np.float64]) -> None:
    if weights.ndim != 1:
        raise AlignmentError(f"a blend needs members and one weight each, got {len(tables)} and {weights.shape}")
    checked_weights(weights, len(tables))
    first = tables[0]
    for table in tables[1:]:
        if not np.array_equal(table.image_ids, first.image_ids) or table.class_names != first.class_names:
            raise AlignmentError("tables of other images or classes cannot be averaged: join them first (join_members)")
