r"""Calibration of each class, pulled toward one fit for all classes.

Platt: :math:`\operatorname{logit} q = c + a \operatorname{logit} p`. Beta: :math:`\operatorname{logit} q = c + a \ln p
- b \ln(1 - p)`, which bends both ends of the curve on their own and holds Platt's (a = b) and the identity (a = b = 1,
c = 0). Ranks: the beta calibration with two terms more, :math:`- d \ln r - e \ln(1 + r)`, where r is a row's place from
the top divided by the number of positives. Precision falls along r in much the same way whatever scale a model's scores
have, so these terms stand in where a beta calibration does not fit. All slopes are >= 0, so that a better score is
never worth less.

Each class's coefficients are taken as drawn from one normal distribution, whose mean and covariance are estimated from
all classes by expectation-maximisation (empirical Bayes). So a class with many positives is fitted by itself, one with
few lies near the others, and how near depends on how alike the classes are.

Sources: Platt, Probabilistic outputs for support vector machines (1999); Kull, Silva Filho, Flach, Beta calibration
(AISTATS 2017); Efron, Morris, Stein's estimation rule and its competitors: an empirical Bayes approach (JASA 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.thresholds.cuts import RankedClass
from ensemble.thresholds.logistic import BinnedRows, Normal, fit_logistic

Kind = Literal["platt", "beta", "ranks"]

N_BINS = 256
"""Rows of a class are counted in at most so many bins, narrow at the top, where the positives are."""
FEWEST_POSITIVES = 20.0
"""Before any class is looked at, classes are thought to differ as much as fits to so many positives do."""
ROWS_PER_POSITIVE = 20
"""Scores below those of so many rows a positive are all alike to the fit: a tail of negatives must not steer it."""
_ROUNDS = 2
_RIDGE = 1e-3


def calibrated(ranked: Sequence[RankedClass], kind: Kind) -> list[NDArray[np.float64]]:
    """The probability of each ranked row to be positive.

    Args:
        ranked: C classes, at least one, each with positives and negatives.
        kind: Platt's, the beta calibration, or that and ranks.

    Returns:
        C arrays of shape (n,), float64 in [0, 1], not falling.
    """
    features = [_features(one, kind) for one in ranked]
    where = sum(rows[one.positive].sum(axis=0) for rows, one in zip(features, ranked, strict=True))
    where = np.append(0.0, where[1:] / where[0])  # around the mean positive the constant and the slopes hardly interact
    features = [rows - where for rows in features]
    coefficients = _pulled_fit(_bin_rows(ranked, features), where)
    return [expit(rows @ line) for rows, line in zip(features, coefficients, strict=True)]


def _features(one: RankedClass, kind: Kind) -> NDArray[np.float64]:
    """What the calibrated logit is linear in, shape (n, D), the constant first.

    0 and 1 have no logit: they stand half-way between the end and the outermost score inside.
    """
    scores = one.scores
    first, last = np.searchsorted(scores, 0.0, side="right"), np.searchsorted(scores, 1.0)
    low, high = (scores[first] / 2, (1 + scores[last - 1]) / 2) if first < last else (0.25, 0.75)
    low = max(low, min(high, scores[max(0, len(scores) - ROWS_PER_POSITIVE * one.n_positives)]))
    clipped = np.clip(scores, max(low, np.finfo(np.float64).tiny), min(high, 1 - np.finfo(np.float64).epsneg))
    rising, falling = np.log(clipped), np.log1p(-clipped)
    parts = [rising - falling] if kind == "platt" else [rising, -falling]
    if kind == "ranks":
        relative = _places_from_top(scores) / one.n_positives
        parts += [-np.log(relative), -np.log1p(relative)]
    return np.stack([np.ones_like(clipped), *parts], axis=-1)


def _places_from_top(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place of each of the ascending ``scores``, shape (n,): 0.5 for the highest; equal ones share their mean."""
    below, up_to = (np.searchsorted(scores, scores, side=side) for side in ("left", "right"))
    return np.asarray(len(scores) - (below + up_to) / 2.0)


def _pulled_fit(rows: BinnedRows, where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients, shape (C, D), of features from which ``where``, shape (D,), was taken.

    For the mean, the pooled fit counts as one more class; for the covariance, what is thought beforehand counts as D
    classes, the fewest that have one. A weak ridge toward the identity keeps the pooled fit finite.
    """
    n_classes, _, n_features = rows.features.shape
    ridge = _RIDGE * np.eye(n_features)
    pool = rows.pooled()
    identity = np.array([0.0, 1.0, 1.0, 0.0, 0.0])[:n_features]
    identity[0] = where @ identity
    center = fit_logistic(pool, Normal(identity, ridge), identity[None])
    per_positive = pool.curvature(center)[0] / pool.positives.sum()
    spread = first_spread = np.linalg.inv(FEWEST_POSITIVES * per_positive + ridge)
    mean, found = center[0], np.repeat(center, n_classes, axis=0)
    for _ in range(_ROUNDS):
        prior = Normal(mean, np.linalg.inv(spread))
        found = fit_logistic(rows, prior, found)
        uncertain = np.linalg.inv(rows.curvature(found) + prior.precision)
        mean = (found.sum(axis=0) + center[0]) / (n_classes + 1)
        off = found - mean
        spread = (off.T @ off + uncertain.sum(axis=0) + n_features * first_spread) / (n_classes + n_features)
    return found


def _bin_rows(ranked: Sequence[RankedClass], features: Sequence[NDArray[np.float64]]) -> BinnedRows:
    starts = [_bin_starts(one) for one in ranked]
    width = max(map(len, starts))
    shape = (len(ranked), width)
    binned = BinnedRows(np.zeros((*shape, features[0].shape[1])), np.zeros(shape), np.zeros(shape))
    for number, (one, rows, start) in enumerate(zip(ranked, features, starts, strict=True)):
        counts = np.diff(np.append(start, len(rows))).astype(np.float64)
        binned.rows[number, : len(start)] = counts
        binned.positives[number, : len(start)] = np.add.reduceat(one.positive.astype(np.float64), start)
        binned.features[number, : len(start)] = np.add.reduceat(rows, start, axis=0) / counts[:, None]
    return binned


def _bin_starts(one: RankedClass) -> NDArray[np.intp]:
    """The rank at which each bin begins; equal scores share a bin, so that the order of rows does not matter."""
    n = len(one.scores)
    from_top = np.linspace(0.0, 1.0, min(n, N_BINS) + 1)[1:] ** 2
    ranks = np.arange(n) if n <= N_BINS else n - np.ceil(n * from_top).astype(np.intp)
    return np.unique(np.searchsorted(one.scores, one.scores[ranks]))
