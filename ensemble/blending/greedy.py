"""Greedy selection of members, with replacement, on the metric itself with thresholds re-solved at every step.

Source: Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble selection from libraries of models" (2004),
https://doi.org/10.1145/1015330.1015432: selection with replacement, sorted start, bags of members.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.cells import choose_cells
from ensemble.blending.combine import uniform_weights
from ensemble.blending.cuts import BestScore
from ensemble.blending.mean import WeightedMean
from ensemble.blending.stack import MemberStack
from ensemble.metric import Metric

_CLEARLY = 1e-9  # a gain below this is rounding


@dataclass(frozen=True)
class Greedy:
    r"""Members are added one at a time, each time the one after which the metric is best; a member may come again.

    A bag starts from the best few members together, then adds; it keeps the best that it came by. The weights of all
    bags are averaged, then shrunk toward the uniform ones, :math:`w = (1 - s) \bar w + s / M`: on the rows that chose
    them greedy weights look better than they are.

    Attributes:
        metric: What is maximised.
        shrink: s, from 0, as selected, to 1, the plain mean.
        bags: How many random choices of members are searched; few members are searched once, all together.
        share: Of the members in a bag.
        steps: How many members a bag adds to its start.
        patience: A bag stops after so many steps without a better score.
        name: Of the rule.
    """

    metric: Metric = field(default_factory=Metric)
    shrink: float = 0.5
    bags: int = 5
    share: float = 0.7
    steps: int = 15
    patience: int = 4
    name: str = "greedy"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,  # noqa: ARG002 - the protocol's
        rng: np.random.Generator,
    ) -> WeightedMean:
        """See ``CombinationRule``."""
        n_members = len(stack.names)
        if n_members == 1:
            return WeightedMean(self.name, np.ones(1))
        cells = choose_cells(stack, labels, rng)
        library = _Library(BestScore(self.metric, cells), [one.probabilities() for one in cells])
        order = library.order()
        chosen = np.mean([self._bag(library, bag) for bag in self._bags(order, rng)], axis=0)
        return WeightedMean(self.name, (1.0 - self.shrink) * chosen + self.shrink * uniform_weights(n_members))

    def _bags(self, order: NDArray[np.intp], rng: np.random.Generator) -> list[NDArray[np.intp]]:
        """Members of each bag, the best first. Drawn by their place in the order, so that names do not matter."""
        size = int(np.ceil(self.share * len(order)))
        if size >= len(order) - 1 or self.bags <= 1:
            return [order]
        return [order[np.sort(rng.choice(len(order), size, replace=False))] for _ in range(self.bags)]

    def _bag(self, library: _Library, members: NDArray[np.intp]) -> NDArray[np.float64]:
        """Weights, shape (M,), sum 1."""
        counts, best = library.sorted_start(members)
        kept, waited = counts.copy(), 0
        total = library.total(counts)
        for _ in range(self.steps):
            scores = library.with_each(total, members)
            added = members[int(np.argmax(scores))]
            counts[added] += 1
            library.add(total, added)
            waited += 1
            if scores.max() > best + _CLEARLY:
                best, kept, waited = float(scores.max()), counts.copy(), 0
            if waited >= self.patience:
                break
        return np.asarray(kept / kept.sum(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Library:
    """Scores sums of members; as only the order of scores matters, a sum does for a mean.

    Attributes:
        best_score: Of given scores.
        probabilities: Of each class, shape (M, n) each.
    """

    best_score: BestScore
    probabilities: list[NDArray[np.float32]]

    def order(self) -> NDArray[np.intp]:
        """Members, the best alone first."""
        alone = self.best_score(self.probabilities)
        return np.argsort(-alone, kind="stable")

    def sorted_start(self, members: NDArray[np.intp]) -> tuple[NDArray[np.int64], float]:
        """The best few of ``members`` together, how often each (once or not at all), shape (M,), and their score."""
        together = self.best_score(np.cumsum(one[members], axis=0) for one in self.probabilities)
        taken = int(np.argmax(together > together.max() - _CLEARLY)) + 1
        counts = np.zeros(len(self.probabilities[0]), dtype=np.int64)
        counts[members[:taken]] = 1
        return counts, float(together.max())

    def total(self, counts: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The sum of members, of each class, shape (n,)."""
        return [counts.astype(np.float32) @ one for one in self.probabilities]

    def with_each(self, total: list[NDArray[np.float32]], members: NDArray[np.intp]) -> NDArray[np.float64]:
        """The score after adding each of ``members``."""
        return self.best_score(sums + one[members] for sums, one in zip(total, self.probabilities, strict=True))

    def add(self, total: list[NDArray[np.float32]], member: np.intp) -> None:
        """Add a member to ``total``, in place."""
        for sums, one in zip(total, self.probabilities, strict=True):
            np.add(sums, one[member], out=sums)
