"""The state of the search, and its objective.

With ``count_k`` the counts of fold k (F,), ``D_k = K count_k - total`` their distance from an even share and A the
price matrix (F, F), the objective is ``sum over k of D_k' A D_k``. Taking unit u with counts x from fold a to fold b
changes it by ``2 K`` times ``S_ub - S_ua + q_u``, where ``S_uk = x' A D_k`` and ``q_u = K x' A x``: one matrix product
prices every move, and one more, ``K X A X'``, every swap. All terms are integers of at most 2 ** 52 in float64, so they
are exact, whatever the order of summation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.folds.units import Units

NEVER = np.inf
"""The price of what must not be done."""


class Placement:
    """Which fold each unit is in, and how far every count is from its even share.

    Attributes:
        units: What is placed.
        n_folds: The number of folds K.
        folds: Shape (U,), int64; -1 before a unit is placed.
        deviations: Shape (F, K), float64, integers: ``K * count - total``.
        members: Shape (K,), int64: the units of each fold.
    """

    def __init__(self, units: Units, n_folds: int) -> None:
        self.units = units
        self.n_folds = n_folds
        self.folds = np.full(len(units), -1, dtype=np.int64)
        self.deviations = np.repeat(-units.totals[:, None], n_folds, axis=1)
        self.members = np.zeros(n_folds, dtype=np.int64)

    @property
    def cost(self) -> float:
        """The objective, once all units are placed."""
        return self.n_folds * sum(float(self.prices(unit)[fold]) for unit, fold in enumerate(self.folds.tolist()))

    def put(self, unit: int, fold: int) -> None:
        """Place ``unit`` in ``fold``, out of the fold where it was."""
        entries = self.units.entries(unit)
        features, change = self.units.features[entries], self.n_folds * self.units.counts[entries]
        if (old := self.folds[unit]) >= 0:
            self.deviations[features, old] -= change
            self.members[old] -= 1
        self.deviations[features, fold] += change
        self.members[fold] += 1
        self.folds[unit] = fold

    def prices(self, unit: int) -> NDArray[np.float64]:
        """Shape (K,): ``S_uk`` for every fold k; where it is least, the unit is missed most."""
        entries = self.units.entries(unit)
        prices: NDArray[np.float64] = self.units.weighted[entries] @ self.deviations[self.units.features[entries]]
        return prices

    def self_price(self, unit: int) -> float:
        """``q_u``: what the unit adds to the price of the fold that it is in."""
        entries = self.units.entries(unit)
        return self.n_folds * float(self.units.weighted[entries] @ self.units.counts[entries])
