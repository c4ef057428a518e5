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
    labelled = ~np.isnan(labels)
    if (labelled.sum(axis=0) <= limit).all():
        return [_all(stack.logits[:, :, one], labels[:, one]) for one in range(n_classes)]
    heights = _heights(stack, labelled)
    columns = range(n_classes)
    return [_chosen(stack.logits[:, :, one], labels[:, one], heights[:, one], limit=limit, rng=rng) for one in columns]


def _all(logits: NDArray[np.float32], labels: NDArray[np.float64]) -> ClassCells:
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    return ClassCells(logits[:, np.concatenate([positive, negative])], len(positive), len(negative))


def _chosen(
    logits: NDArray[np.float32],
    labels: NDArray[np.float64],
    heights: NDArray[np.float32],
    *,
    limit: int,
    rng: np.random.Generator,
) -> ClassCells:
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    n_positives, n_negatives = len(positive), len(negative)
    if n_positives + n_negatives <= limit:
        return _all(logits, labels)
    room = max(limit - n_negatives, limit // 2)
    positive = positive if n_positives <= room else rng.choice(positive, room, replace=False)
    room = limit - len(positive)
    sure, others = negative, negative[:0]
    if n_negatives > room:
        order = negative[np.argpartition(heights[negative], n_negatives - room // 2)]
        sure, others = order[n_negatives - room // 2 :], order[: n_negatives - room // 2]
        others = rng.choice(others, room - len(sure), replace=False)
    rows = logits[:, np.concatenate([positive, sure, others])]
    positive_rows = n_positives / len(positive) if len(positive) else 1.0
    other_rows = (n_negatives - len(sure)) / len(others) if len(others) else 1.0
    return ClassCells(rows, len(positive), len(sure), positive_rows, other_rows)


def _heights(stack: MemberStack, labelled: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How high members rank a row on a class, shape (N, C): the sum of their logits, each on a scale of its own."""
    heights = np.zeros(labelled.shape, dtype=np.float32)
    some = slice(None, None, max(len(labelled) // FEWEST, 1))
    for member in stack.logits:
        spread = np.std(member[some], axis=0, dtype=np.float64, where=labelled[some])
        heights += member * np.where(spread > 0, 1.0 / np.where(spread > 0, spread, 1.0), 0.0).astype(np.float32)
    return heights
