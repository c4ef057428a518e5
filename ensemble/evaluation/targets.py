"""The targets of a scikit-learn classifier as labels, their groups, and decisions as targets again."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from ensemble.arrays import ArrayError


@dataclass(frozen=True, eq=False)
class Targets:
    """What a classifier is to learn.

    Attributes:
        given: As the classifier is given it: shape (N,) or (N, C), dense or sparse.
        labels: Shape (N, C), float64, 0 or 1.
        classes: The two labels (or the only one) of a 1-D ``y``, ascending; None for a multi-label one.
        names: C column names, where ``y`` has any.
    """

    given: Any
    labels: NDArray[np.float64]
    classes: NDArray[Any] | None
    names: tuple[str, ...] | None

    @property
    def positive(self) -> Any:
        """The label that counts as positive: the last one, as everywhere in scikit-learn. 1 for a multi-label ``y``."""
        return 1 if self.classes is None else self.classes[-1]


def read_targets(y: Any) -> Targets:
    """Targets of either kind.

    Args:
        y: Shape (N,) with two different labels of any type, or (N, C) of 0 and 1, dense, sparse or a data frame. A
            single column is taken as 1-D, with scikit-learn's warning.

    Raises:
        ArrayError: It is neither, or empty.
    """
    if y is None:
        raise ArrayError("MultilabelThresholdClassifierCV requires y to be passed, but the target y is None")
    y = y if hasattr(y, "shape") else np.asarray(y)
    if not y.shape[0]:
        raise ArrayError("y: expected at least one row, got n_samples = 0")
    names = None if getattr(y, "columns", None) is None else tuple(str(name) for name in y.columns)
    if getattr(y, "ndim", None) == 2 and y.shape[1] == 1:
        message = "A column-vector y was passed when a 1d array was expected. It is taken as 1-D, C = 1"
        warnings.warn(message, DataConversionWarning, stacklevel=4)
        y, names = column_or_1d(y), None
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind == "binary":
        classes, codes = np.unique(np.asarray(y), return_inverse=True)
        labels = np.asarray(codes == len(classes) - 1, dtype=np.float64).reshape(-1, 1)
        return Targets(y, labels, classes, None)
    if kind == "multilabel-indicator":
        dense = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        return Targets(y, _zeros_and_ones(dense), None, names)
    raise ArrayError(
        "Only binary classification is supported, of one label (1-D y) or of several (n_samples x n_classes of 0 and "
        f"1). The type of the target is {kind}. Unknown label type: {kind}"
    )


def _zeros_and_ones(dense: NDArray[Any]) -> NDArray[np.float64]:
    labels = dense.astype(np.float64)
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ArrayError(f"y: expected 0 and 1 in every column, got {np.unique(labels)[:5].tolist()}")
    return labels


def checked_groups(groups: Any) -> NDArray[Any] | None:
    """Groups as an array, shape (N,); None: there are none.

    Raises:
        ArrayError: Some are None or NaN.
    """
    if groups is None:
        return None
    given = np.asarray(groups)
    if missing := sum(one is None or (isinstance(one, float) and math.isnan(one)) for one in given.tolist()):
        raise ArrayError(f"groups: expected one a row, got none for {missing} rows")
    return given


def as_given(decisions: NDArray[np.bool_], classes: NDArray[Any] | None) -> NDArray[Any]:
    """Decisions, shape (N, C), in the form of ``y``: its labels, shape (N,), or 0 and 1, int64, shape (N, C)."""
    if classes is None:
        return decisions.astype(np.int64)
    return np.asarray(classes[np.where(decisions[:, 0], len(classes) - 1, 0)])


def class_number(wanted: int | str | None, n_classes: int, names: Sequence[str] | None) -> int | None:
    """The number of a class that is named by its number, or by its column's name.

    Raises:
        ArrayError: There is no such class.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        if names is None or wanted not in names:
            known = "y has no column names" if names is None else f"expected one of {list(names)}"
            raise ArrayError(f"exclusive: {known}, got {wanted!r}")
        return list(names).index(wanted)
    if not 0 <= wanted < n_classes:
        raise ArrayError(f"exclusive: expected a class number from 0 to {n_classes - 1}, got {wanted!r}")
    return int(wanted)
