"""The mean of ranks: what members agree on is the order, whatever their scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ensemble.blending.averages import by_rows
from ensemble.blending.combine import uniform_weights
from ensemble.blending.mean import check_members
from ensemble.blending.stack import MemberStack

_EDGE = 2.0**-24  # float32 places of ten million rows would round to 1


@dataclass(frozen=True, eq=False)
class Places:
    """A member's distribution on a class: where a score stands among the fitting rows'.

    Attributes:
        scores: Shape (D,), float32, distinct, ascending.
        places: Shape (D,), float32, in (0, 1): the mid-rank, (rows below + half of the rows equal) / rows.
    """

    scores: NDArray[np.float32]
    places: NDArray[np.float32]

    def of(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Places of new scores: interpolated between the fitting rows', and no further out than these."""
        return np.interp(scores, self.scores, self.places)


@dataclass(frozen=True, eq=False)
class MeanOfRanks:
    r"""The logit of the mean of members' places, :math:`\bar r = \frac1M \sum_m \hat F_m(z_m)`.

    :math:`\hat F_m` is the empirical distribution of the fitting rows' scores with mid-ranks, so the map is fixed:
    a row's place does not depend on which other rows are there.

    Attributes:
        places: M lists of C distributions.
        name: Of the rule.
        class_weights: None: all classes share ``weights``.
    """

    places: tuple[tuple[Places, ...], ...]
    name: str = "mean_ranks"
    class_weights: None = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """Shape (M,), all equal."""
        return uniform_weights(len(self.places))

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        """See ``Combination``."""
        check_members(stack, len(self.places), rule=self.name)

        def of_rows(rows: slice) -> NDArray[np.float32]:
            total = np.zeros(stack.logits[0, rows].shape)
            for member, places in zip(stack.logits, self.places, strict=True):
                for column, place in enumerate(places):
                    total[:, column] += place.of(member[rows, column])
            mean = np.clip(total / len(self.places), _EDGE, 1.0 - _EDGE)
            return np.asarray(logit(mean), dtype=np.float32)

        return by_rows(of_rows, len(stack), size=stack.logits.size)


@dataclass(frozen=True)
class MeanRanks:
    """Places among the labelled fitting rows, averaged. Ties share the middle place."""

    name: str = "mean_ranks"

    def fit(
        self,
        stack: MemberStack,
        labels: NDArray[np.float64],
        groups: NDArray[np.str_] | None,  # noqa: ARG002 - the protocol's
        rng: np.random.Generator,  # noqa: ARG002
    ) -> MeanOfRanks:
        """See ``CombinationRule``."""
        labelled = ~np.isnan(labels)
        columns = range(labels.shape[1])
        members = [tuple(_places(member[labelled[:, one], one]) for one in columns) for member in stack.logits]
        return MeanOfRanks(tuple(members))


def _places(scores: NDArray[np.float32]) -> Places:
    if not len(scores):  # a class that nobody labelled: no order to speak of
        return Places(np.zeros(1, np.float32), np.full(1, 0.5, np.float32))
    distinct, counts = np.unique(scores, return_counts=True)
    middle = np.cumsum(counts) - counts / 2.0
    return Places(distinct, (middle / len(scores)).astype(np.float32))
