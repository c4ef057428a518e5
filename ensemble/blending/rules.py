"""Rules that combine members. A new rule is a new class with ``fit``, not a new flag."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.stack import MemberStack


class Combination(Protocol):
    """A fitted rule: a fixed map from what members say of a row to what the blend says of it.

    Nothing of it depends on which other rows are there: a rank is a place among the *fitting* rows.

    Attributes:
        name: Of the rule, e.g. ``"mean"``.
        weights: Shape (M,), float64, >= 0, sum 1: of the members; where classes differ, the mean over classes.
        class_weights: Shape (M, C), likewise for each class; None where all classes share ``weights``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def weights(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def class_weights(self) -> NDArray[np.float64] | None: ...  # noqa: D102

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        """Logits of the blend, shape (N, C), float32: what is stored, and what thresholds are chosen on.

        Args:
            stack: The members that the rule was fitted on, in the same order, on any rows.
        """
        ...


class CombinationRule(Protocol):
    """Chooses how to combine members from labelled rows, and from nothing else."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> Combination:
        """Choose.

        Args:
            stack: M members, N rows, C classes; out-of-fold.
            labels: Shape (N, C), 0, 1 or NaN = not labelled.
            groups: Shape (N,), what belongs together, e.g. the patient; None: every row is independent.
            rng: The only source of chance.
        """
        ...
