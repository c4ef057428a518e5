"""Classes whose labels are all alike: there is nothing to learn, or nothing to be wrong about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NOT_LABELLED = "no image is labelled"
NO_NEGATIVE = "every labelled image is positive"
NO_POSITIVE = "no image is positive"


def classes_of_one_kind(labels: NDArray[np.float64], class_names: Sequence[str]) -> dict[str, list[str]]:
    """What is so of which classes: ``NOT_LABELLED``, ``NO_NEGATIVE``, ``NO_POSITIVE``; only what is so of any.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        class_names: C names.
    """
    missing, positive = np.isnan(labels), labels == 1
    some = ~missing.all(axis=0)
    kinds = {
        NOT_LABELLED: ~some,
        NO_NEGATIVE: some & (positive | missing).all(axis=0),
        NO_POSITIVE: some & ~positive.any(axis=0),
    }
    named = {
        what: [name for name, is_so in zip(class_names, found.tolist(), strict=True) if is_so]
        for what, found in kinds.items()
    }
    return {what: names for what, names in named.items() if names}
