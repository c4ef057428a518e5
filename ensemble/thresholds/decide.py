"""The one place where probabilities become decisions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError, checked_probabilities


def decide(probabilities: ArrayLike, thresholds: ArrayLike) -> NDArray[np.bool_]:
    """Positive iff probability >= threshold, compared in float64.

    Thresholds may have been through JSON meanwhile: Python writes a float so that reading it gives the same float.

    Args:
        probabilities: Shape (N, C), in [0, 1]. float32 is widened, which changes no value.
        thresholds: Shape (C,), not NaN; 0.0 = every row is positive, 2.0 (anything above 1) = none is.

    Returns:
        Shape (N, C), bool.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    scores = checked_probabilities(probabilities).astype(np.float64, copy=False)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape != scores.shape[1:]:
        raise ArrayError(f"thresholds: expected one for each of {scores.shape[1]} classes, got shape {limits.shape}")
    if np.isnan(limits).any():
        raise ArrayError(f"thresholds: expected numbers, got NaN for class {int(np.flatnonzero(np.isnan(limits))[0])}")
    return np.greater_equal(scores, limits)
