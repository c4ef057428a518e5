"""Means: of probabilities and of logits. Nothing is fitted, so nothing can be overfitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.averages import checked_weights, logit_of_mean, weighted_mean
from ensemble.blending.combine import uniform_weights
from ensemble.blending.stack import MemberStack
from ensemble.errors import AlignmentError


@dataclass(frozen=True, eq=False)
class WeightedMean:
    r"""The weighted mean of members' probabilities, :math:`\bar p_c = \sum_m w_{mc} p_{mc}`, as float32 logits.

    Attributes:
        name: Of the rule that chose the weights.
        weights: Shape (M,), >= 0, sum 1; where classes differ, the mean over classes.
        class_weights: Shape (M, C), likewise for each class; None where all classes share ``weights``.
    """

    name: str
    weights: NDArray[np.float64]
    class_weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        checked_weights(self.weights, len(self.weights))
        if self.class_weights is not None:
            checked_weights(self.class_weights, len(self.weights))

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        """See ``Combination``."""
        check_members(stack, len(self.weights), rule=self.name)
        weights = self.weights if self.class_weights is None else self.class_weights
        return logit_of_mean(list(stack.logits), weights, are_logits=[True] * len(weights))


@dataclass(frozen=True, eq=False)
class MeanOfLogits:
    r"""The mean of members' logits: the geometric mean of odds, :math:`\bar z = \frac1M \sum_m z_m`.

    Attributes:
        weights: Shape (M,), all equal.
        name: Of the rule.
        class_weights: None: all classes share ``weights``.
    """

    weights: NDArray[np.float64]
    name: str = "mean_logits"
    class_weights: None = None

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        """See ``Combination``."""
        check_members(stack, len(self.weights), rule=self.name)
        return weighted_mean(stack.logits, self.weights)


@dataclass(frozen=True)
class Mean:
    """The plain mean of probabilities: what every other rule has to beat."""

    name: str = "mean"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],  # noqa: ARG002 - the protocol's
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> WeightedMean:
        """See ``CombinationRule``."""
        return WeightedMean(self.name, uniform_weights(len(stack.names)))


@dataclass(frozen=True)
class MeanLogits:
    """The plain mean of logits: members that are sure count for more than in the mean of probabilities."""

    name: str = "mean_logits"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],  # noqa: ARG002 - the protocol's
        groups: NDArray[np.str_] | None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> MeanOfLogits:
        """See ``CombinationRule``."""
        return MeanOfLogits(uniform_weights(len(stack.names)))


def check_members(stack: MemberStack, n_members: int, *, rule: str) -> None:
    """Refuse another number of members than a rule was fitted on.

    Raises:
        AlignmentError: It is another.
    """
    if len(stack.names) != n_members:
        raise AlignmentError(f"the {rule} blend was fitted on {n_members} members, got {len(stack.names)}")
