"""What a fitted scikit-learn classifier says, whichever form it says it in, as numbers in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.arrays import ArrayError

METHODS = ("predict_proba", "decision_function")
_LARGEST = 15.0


@dataclass(frozen=True, eq=False)
class Scale:
    """The fixed, rising map from a classifier's response to [0, 1].

    Attributes:
        divisors: Shape (C,), >= 1; None: the response is probabilities already.
    """

    divisors: NDArray[np.float64] | None

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (N, C). Decision values become ``expit(value / divisor)``."""
        if self.divisors is None:
            return np.clip(values, 0.0, 1.0)
        return np.asarray(expit(values / self.divisors))


def fit_scale(values: NDArray[np.float64], method: str) -> Scale:
    """The map for responses like these.

    ``expit`` is 1.0 from 37 on, where unscaled support vector machines begin: what lies beyond 15 here is brought back,
    so that scores which differ stay different (by 4e-10 of themselves at least). Only order matters to a threshold.

    Args:
        values: Shape (N, C), of held-out rows.
        method: One of ``METHODS``.
    """
    if method == "predict_proba":
        return Scale(None)
    return Scale(np.maximum(np.abs(values).max(axis=0) / _LARGEST, 1.0))


def choose_method(estimator: Any, wanted: str) -> str:
    """The response that is used: ``predict_proba`` where there is one.

    Args:
        estimator: A fitted classifier.
        wanted: One of ``METHODS``, or ``"auto"``.

    Raises:
        AttributeError: It has none, which is what scikit-learn raises, too.
    """
    for method in METHODS if wanted == "auto" else (wanted,):
        if hasattr(estimator, method):
            return method
    name = type(estimator).__name__
    raise AttributeError(f"{name} has none of the following attributes: {', '.join(METHODS)}; got {wanted!r}")


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads a classifier's answers.

    Attributes:
        wanted: One of ``METHODS``, or ``"auto"``.
        n_classes: C.
        positive: The label that counts as positive.
        one_column: Whether classifiers are fitted on a 1-D ``y``.
    """

    wanted: str
    n_classes: int
    positive: Any
    one_column: bool

    def __call__(self, estimator: Any, X: Any) -> NDArray[np.float64]:
        """What a fitted classifier says of each row and class, shape (N, C).

        Args:
            estimator: Fitted.
            X: N rows, as it takes them.

        Raises:
            ArrayError: Its answer is of another form, or not finite.
        """
        method = choose_method(estimator, self.wanted)
        said = getattr(estimator, method)(X)
        if isinstance(said, list):
            pairs = zip(said, estimator.classes_, strict=True)
            values = np.stack([_positive(part, classes, self.positive) for part, classes in pairs], axis=1)
        elif self.one_column and method == "predict_proba":
            values = _positive(np.asarray(said), estimator.classes_, self.positive)[:, None]
        else:
            values = np.asarray(said, dtype=np.float64)
            values = values[:, None] if values.ndim == 1 else values
        name = f"{type(estimator).__name__}.{method}"
        if values.ndim != 2 or values.shape[1] != self.n_classes:
            raise ArrayError(
                f"{name}: expected a number for each of {self.n_classes} classes, got shape {values.shape}"
            )
        if bad := int((~np.isfinite(values)).any(axis=1).sum()):
            raise ArrayError(f"{name}: expected finite numbers, got NaN or infinity in {bad} rows")
        return values


def _positive(part: NDArray[Any], classes: NDArray[Any], positive: Any) -> NDArray[np.float64]:
    """The probability of the positive label, shape (N,); 0 where the fitting rows had none of it."""
    places = np.flatnonzero(np.asarray(classes) == positive)
    return np.zeros(len(part)) if not len(places) else np.asarray(part[:, places[0]], dtype=np.float64)
