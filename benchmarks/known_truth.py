"""Data sets of which the truth is known, for ``coverage.py``.

Labels: a class is present where a normal variable passes a limit; 30 % of its variance is the group's (in scenarios
with groups), 15 % is the row's and shared by the classes. Scores: three members, normal given the label, with common
errors, of which the group has its share of 30 % too; classes differ from easy (d' = 2.6) to hard (1.2). Group sizes
vary (gamma, shape 2). Rows of the population are each of a group of their own, which is how a row of a random group
is distributed. Positives are as many as stated in expectation; each data set has its own number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import norm

from ensemble.blending.stack import MemberStack
from ensemble.evaluation.chain import FittedChain
from ensemble.metric import Metric

POPULATION, PORTION = 1_000_000, 100_000
MEMBERS = 3
OF_GROUP, OF_ROW, COMMON = 0.3, 0.15, 0.7


@dataclass(frozen=True)
class Scenario:
    """``positives``: expected in ``n_rows``, of each class; ``n_groups`` 0: every row is independent."""

    positives: tuple[int, ...]
    n_groups: int = 0
    n_rows: int = 2000

    def draw(self, n_rows: int, groups: NDArray[np.int64] | None, rng: np.random.Generator) -> Rows:
        """Rows, of these groups; None: each of a group of its own where there are groups, else of none."""
        shape = (n_rows, len(self.positives))
        of_group = OF_GROUP if self.n_groups else 0.0
        owners = np.arange(n_rows) if groups is None else groups
        label_effect, score_effect = rng.standard_normal((2, owners.max() + 1, shape[1]), dtype=np.float32)[:, owners]
        noise = np.sqrt(1 - of_group - OF_ROW) * rng.standard_normal(shape, dtype=np.float32)
        of_row = np.sqrt(OF_ROW) * rng.standard_normal((n_rows, 1), dtype=np.float32)
        rates = np.array(self.positives) / self.n_rows
        labels = np.sqrt(of_group) * label_effect + of_row + noise > norm.isf(rates)
        common = np.sqrt((1 - of_group) * COMMON) * rng.standard_normal(shape, dtype=np.float32)
        own = np.sqrt((1 - of_group) * (1 - COMMON)) * rng.standard_normal((MEMBERS, *shape), dtype=np.float32)
        strength = np.linspace(1.2, 2.6, shape[1])
        scores = strength * labels + np.sqrt(of_group) * score_effect + common + own
        logits = 1.5 * strength * (scores - strength / 2) + 0.6 * logit(rates) + 0.2 * np.arange(MEMBERS)[:, None, None]
        names = tuple(f"member {number}" for number in range(MEMBERS))
        return Rows(MemberStack(names, logits.astype(np.float32)), labels.astype(np.float64))

    def groups(self, share: float, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """Of ``share`` times the rows, in as many times the groups."""
        if not self.n_groups:
            return None
        sizes = rng.gamma(2.0, size=max(2, round(share * self.n_groups))) + 0.05
        owners = rng.choice(len(sizes), size=round(share * self.n_rows), p=sizes / sizes.sum())
        return np.unique(owners, return_inverse=True)[1]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that were drawn; ``labels``: shape (N, C), float64, 0 or 1."""

    stack: MemberStack
    labels: NDArray[np.float64]


def scenarios() -> dict[str, Scenario]:
    kinds = {"iid": 0, "20 groups": 20, "40 groups": 40, "60 groups": 60}
    found = {
        f"{kind}, {positives}": Scenario((positives,) * 5, n_groups)
        for kind, n_groups in kinds.items()
        for positives in (5, 15, 50, 150, 500)
    }
    found |= {f"{kind}, 5 to 500": Scenario((5, 15, 50, 150, 500), n_groups) for kind, n_groups in kinds.items()}
    found |= {f"{kind}, 10 classes, 5": Scenario((5,) * 10, n_groups) for kind, n_groups in kinds.items()}
    return found | {f"{kind}, 3 classes, 15": Scenario((15,) * 3, n_groups) for kind, n_groups in kinds.items()}


@dataclass(eq=False)
class Population:
    """What the blend says of a million fresh rows; the mean of members is a fixed map, so it is computed once."""

    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    sorted_scores: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)

    def score(self, metric: Metric, thresholds: NDArray[np.float64]) -> float:
        """Of all its rows."""
        if metric.name in ("sample_f1", "subset_accuracy"):
            portions = range(0, len(self.labels), PORTION)
            totals = sum(self._row_totals(metric, slice(start, start + PORTION), thresholds) for start in portions)
        else:
            totals = self.cells(thresholds).ravel()
        return float(metric.from_totals(np.asarray(totals)[None])[0])

    def cells(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (4, C): hits, false alarms, misses, rows."""
        if not self.sorted_scores:
            columns = zip(self.labels.T, self.probabilities.T, strict=True)
            self.sorted_scores = [(np.sort(scores[truth]), np.sort(scores[~truth])) for truth, scores in columns]
        result = np.empty((4, len(thresholds)))
        for column, (positive, negative) in enumerate(self.sorted_scores):
            hits, alarms = (len(one) - np.searchsorted(one, thresholds[column]) for one in (positive, negative))
            result[:, column] = hits, alarms, len(positive) - hits, len(self.labels)
        return result

    def _row_totals(self, metric: Metric, rows: slice, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        return metric.row_statistics(self.labels[rows], self.probabilities[rows] >= thresholds).sum(axis=0)


def population(scenario: Scenario, fitted: FittedChain, seed: int) -> Population:
    rng = np.random.default_rng([seed, 1])
    drawn = [scenario.draw(PORTION, None, rng) for _ in range(POPULATION // PORTION)]
    probabilities = np.concatenate([fitted.probabilities(rows.stack) for rows in drawn])
    return Population(np.concatenate([rows.labels == 1 for rows in drawn]), probabilities)
