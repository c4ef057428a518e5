"""What weight searches look at: of each class a few thousand cells that stand for all of its labelled rows.

A search asks for the score of hundreds of blends, and negatives that no member takes for positives say little each. So
a class keeps its positives, the negatives that members rank highest, and a random part of all others, which then count
for more. Every sum over all rows keeps its expectation, and the part where thresholds may lie keeps all of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending.stack import MemberStack

CELLS = 65_536
"""How many cells all classes keep together, as far as each may keep at least ``FEWEST``."""
FEWEST = 4_096
MOST = 24_576


@dataclass(frozen=True, eq=False)
class ClassCells:
    """The cells of one class.

    Attributes:
        logits: Shape (M, n), float32: the positives first, then the negatives that all were kept, then the others.
        n_positives: Likewise ``n_sure``: how many there are of the first two kinds.
        n_sure: Negatives that count for one row each.
        positive_rows: For how many rows a positive counts, >= 1.
        other_rows: For how many rows a negative of the third kind counts, >= 1.
    """

    logits: NDArray[np.float32]
    n_positives: int
    n_sure: int
    positive_rows: float = 1.0
    other_rows: float = 1.0

    @property
    def n_others(self) -> int:
        """Negatives that stand for several rows."""
        return int(self.logits.shape[1]) - self.n_positives - self.n_sure

    @property
    def rows(self) -> NDArray[np.float64]:
        """Shape (n,): for how many rows each cell counts."""
        parts = (self.n_positives, self.positive_rows), (self.n_sure, 1.0), (self.n_others, self.other_rows)
        return np.concatenate([np.full(count, rows) for count, rows in parts])

    def probabilities(self) -> NDArray[np.float32]:
        """Shape (M, n), rounded to float32: precise enough to search with."""
        return np.stack([expit(member.astype(np.float64)).astype(np.float32) for member in self.logits])

    def likelihoods(self) -> NDArray[np.float64]:
        """Shape (M, n): the probability that a member gave to what turned out to be true."""
        signs = np.where(np.arange(self.logits.shape[1]) < self.n_positives, 1.0, -1.0)
        return np.stack([expit(member * signs) for member in self.logits])


def choose_cells(
    stack: MemberStack, labels: NDArray[np.float64], rng: np.random.Generator, *, most: int | None = None
) -> list[ClassCells]:
    """The cells of every class; all of its labelled rows where these are few enough.

    Args:
        stack: M members, N rows, C classes.
        labels: Shape (N, C), 0, 1 or NaN = not labelled; such rows are left out of that class.
        rng: Which rows stand for others.
        most: Of one class; None: a share of ``CELLS``.
    """
    n_classes = labels.shape[1]
    limit = most or int(np.clip(CELLS // max(n_classes, 1), FEWEST, MOST))
    return [_cells(stack.logits[:, :, one], labels[:, one], rng, limit) for one in range(n_classes)]


def _cells(
    logits: NDArray[np.float32], labels: NDArray[np.float64], rng: np.random.Generator, limit: int
) -> ClassCells:
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    n_positives, n_negatives = len(positive), len(negative)
    if n_positives + n_negatives <= limit:
        return ClassCells(logits[:, np.concatenate([positive, negative])], n_positives, n_negatives)
    room = max(limit - n_negatives, limit // 2)
    positive = positive if n_positives <= room else rng.choice(positive, room, replace=False)
    sure, others = _negatives(logits, negative, rng, limit - len(positive))
    chosen = np.concatenate([positive, sure, others])
    positive_rows = n_positives / len(positive) if len(positive) else 1.0
    other_rows = (n_negatives - len(sure)) / len(others) if len(others) else 1.0
    return ClassCells(logits[:, chosen], len(positive), len(sure), positive_rows, other_rows)


def _negatives(
    logits: NDArray[np.float32], negative: NDArray[np.intp], rng: np.random.Generator, room: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Those that members rank highest, for half of the room, and a random part of the others."""
    if len(negative) <= room:
        return negative, negative[:0]
    height = np.zeros(len(negative))
    for member in logits:
        scores = member[negative]
        height += (scores - scores.mean(dtype=np.float64)) / max(float(scores.std(dtype=np.float64)), 1e-12)
    order = np.argpartition(height, len(height) - room // 2)
    highest, rest = order[len(height) - room // 2 :], order[: len(height) - room // 2]
    return negative[highest], negative[rng.choice(rest, room - len(highest), replace=False)]
