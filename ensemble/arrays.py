"""Checks of arrays that come from outside: labels, probabilities, decisions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.errors import DataError, EnsembleError


class ArrayError(DataError, ValueError):
    """An array passed to the library is not what the function needs. Also a ``ValueError``, as numpy users expect."""


def label_array(labels: ArrayLike) -> NDArray[Any]:
    """Labels as they are, shape (N, C), whatever their type of number; their values are not looked at.

    Raises:
        ArrayError: No numbers, or another shape.
    """
    array = _numbers(labels, "labels")
    _check_two_axes(array, "labels")
    return array


@contextmanager
def as_array_errors() -> Iterator[None]:
    """Raise errors of this package as ``ArrayError``, for callers who expect a ``ValueError`` of whatever they gave.

    Raises:
        ArrayError: In place of another EnsembleError, with its message.
    """
    try:
        yield
    except ArrayError:
        raise
    except EnsembleError as error:
        raise ArrayError(str(error)) from error


def checked_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Labels as float64, shape (N, C), each 0.0, 1.0 or NaN ("not labelled").

    Args:
        labels: Shape (N, C); any numeric or boolean type.

    Raises:
        ArrayError: Another shape, or other values; says how many and which.
    """
    array = label_array(labels).astype(np.float64, copy=False)
    wrong = ~((array == 0) | (array == 1) | np.isnan(array))
    if wrong.any():
        raise ArrayError(f"labels: expected 0, 1 or NaN (not labelled), got {_listed(array, wrong)}")
    return array


def probability_array(probabilities: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Probabilities as they are (float32 stays float32; anything else becomes float64); their values are not looked at.

    Args:
        probabilities: Shape (N, C).
        shape: What the shape must be, e.g. that of the labels; None: any (N, C).

    Raises:
        ArrayError: No numbers, or another shape.
    """
    array = _numbers(probabilities, "probabilities")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    _check_two_axes(array, "probabilities")
    if shape is not None and array.shape != shape:
        raise ArrayError(f"probabilities: expected the labels' shape {shape} (images, classes), got {array.shape}")
    return array


def checked_probabilities(probabilities: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Probabilities as ``probability_array`` has them, each in [0, 1].

    Args:
        probabilities: Shape (N, C).
        shape: What the shape must be, e.g. that of the labels; None: any (N, C).

    Raises:
        ArrayError: Another shape, NaN, or values outside [0, 1].
    """
    array = probability_array(probabilities, shape)
    if not array.size or (array.min() >= 0 and array.max() <= 1):  # NaN is neither; two passes without a temporary
        return array
    wrong = ~((array >= 0) & (array <= 1))
    raise ArrayError(
        f"probabilities: expected numbers from 0 to 1, got {_listed(array, wrong)}. "
        "Logits become probabilities by 1 / (1 + exp(-x))"
    )


def checked_decisions(decisions: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Decisions as bool, of the labels' ``shape`` (N, C).

    Raises:
        ArrayError: Another shape, or values other than false and true, 0 and 1.
    """
    array = np.asarray(decisions)
    if array.shape != shape:
        raise ArrayError(f"decisions: expected the labels' shape {shape} (images, classes), got {array.shape}")
    if array.dtype == np.bool_:
        return array
    decided: NDArray[np.bool_] = array == 1
    wrong = ~decided & (array != 0)
    if wrong.any():
        raise ArrayError(f"decisions: expected 0 or 1, got {_listed(array, wrong)}")
    return decided


def _numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ArrayError(f"{what}: expected numbers, got an array of type {array.dtype}")
    return array


def _check_two_axes(array: NDArray[Any], what: str) -> None:
    if array.ndim != 2:
        raise ArrayError(f"{what}: expected shape (images, classes), got {array.shape}")


def _listed(array: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    """Some of the wrong values, and where the first ones are."""
    cells = np.argwhere(wrong)
    shown = ", ".join(f"{array[row, column]} at [{row}, {column}]" for row, column in cells[:5])
    return shown if len(cells) <= 5 else f"{shown} (+{len(cells) - 5} more)"
