r"""Convex weights by log loss, common to all classes or one set a class.

The log loss of a mixture, :math:`-\sum_i \log \sum_m w_m q_{im}` with :math:`q_{im}` the probability that member m gave
to what was true of cell i, is convex in the weights: there is one optimum, no start and no chance. It looks at
probabilities and not at thresholds, so it is well determined where F1 of a few positives is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ensemble.blending.cells import ClassCells, choose_cells
from ensemble.blending.combine import uniform_weights
from ensemble.blending.mean import WeightedMean
from ensemble.blending.stack import MemberStack

_SUREST = 1e-6
"""A certainty beyond this counts as this: where all members are wrong, by how much tells nothing about them."""
_TINY = 1e-300


@dataclass(frozen=True)
class Convex:
    """Weights >= 0, sum 1, with the least log loss of the mixed probabilities over all labelled cells."""

    name: str = "convex"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,  # noqa: ARG002 - the protocol's
        rng: np.random.Generator,
    ) -> WeightedMean:
        """See ``CombinationRule``."""
        if len(stack.names) == 1:
            return WeightedMean(self.name, np.ones(1))
        return WeightedMean(self.name, common_weights(choose_cells(stack, labels, rng)))


@dataclass(frozen=True)
class ClassWeights:
    r"""Convex weights of each class, pulled toward the common ones where a class has few positives.

    :math:`w_c = (g_c \hat w_c + k \hat w) / (g_c + k)` with :math:`g_c` the class's groups with a positive, or with a
    negative where these are fewer (rows where there are no groups).

    Attributes:
        pull: k, in groups: with so many the class's own weights and the common ones count alike.
        name: Of the rule.
    """

    pull: float = 100.0
    name: str = "class_weights"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> WeightedMean:
        """See ``CombinationRule``."""
        if len(stack.names) == 1:
            return WeightedMean(self.name, np.ones(1), np.ones((1, labels.shape[1])))
        cells = choose_cells(stack, labels, rng)
        common = common_weights(cells)
        columns = []
        for one, column in zip(cells, labels.T, strict=True):
            own = min(_groups_with(column == 1, groups), _groups_with(column == 0, groups))
            share = own / (own + self.pull)
            columns.append(share * common_weights([one]) + (1.0 - share) * common)
        class_weights = np.stack(columns, axis=1)
        return WeightedMean(self.name, class_weights.mean(axis=1), class_weights)


def common_weights(cells: Sequence[ClassCells]) -> NDArray[np.float64]:
    r"""The weights with the least log loss over all cells, shape (M,); uniform where there are none.

    Solved without the constraint that they sum to 1, as :math:`\min_{w \ge 0} -\sum_i \log (Q w)_i / n + \sum_m w_m`,
    which has the same optimum.

    Source: Kim, Carbonetto, Stephens & Anitescu, "A fast algorithm for maximum likelihood estimation of mixture
    proportions using sequential quadratic programming" (2020), https://doi.org/10.1080/10618600.2019.1689985.
    """
    likelihoods = np.maximum(np.concatenate([one.likelihoods() for one in cells], axis=1), _SUREST)
    rows = np.concatenate([one.rows for one in cells])
    start = uniform_weights(len(likelihoods))
    if not len(rows):
        return start
    rows /= rows.sum()

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.maximum(weights @ likelihoods, _TINY)
        return float(weights.sum() - rows @ np.log(mixed)), 1.0 - likelihoods @ (rows / mixed)

    bounds = [(0.0, None)] * len(start)
    options: Any = {"maxiter": 200, "ftol": 1e-11, "gtol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    weights = np.maximum(found.x, 0.0)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _groups_with(chosen: NDArray[np.bool_], groups: NDArray[np.str_] | None) -> int:
    return int(chosen.sum()) if groups is None else len(np.unique(groups[chosen]))
