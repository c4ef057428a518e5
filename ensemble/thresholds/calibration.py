r"""Calibration of each class, pulled toward one fit for all classes.

Platt: :math:`\operatorname{logit} q = c + a \operatorname{logit} p`. Beta: :math:`\operatorname{logit} q = c + a \ln p
- b \ln(1 - p)`, which bends both ends of the curve on their own and holds Platt's (a = b) and the identity (a = b = 1,
c = 0). a, b >= 0, so that a better score is never worth less.

Sources: Platt, Probabilistic outputs for support vector machines (1999); Kull, Silva Filho, Flach, Beta calibration
(AISTATS 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ensemble.thresholds.cuts import RankedClass

Kind = Literal["platt", "beta"]

N_BINS = 512
"""Rows of a class are counted in at most so many bins, narrow at the top, where the positives are."""
_SMALLEST, _LARGEST = 1e-38, 1 - 1e-16
_WEAK = 1e-3
_STEPS = 50


@dataclass(frozen=True, eq=False)
class BinnedRows:
    """Rows of C classes, counted in B bins of like scores.

    Attributes:
        features: Shape (C, B, D): means over the bin.
        rows: Shape (C, B), float64: how many; 0 where a class needs fewer bins.
        positives: Shape (C, B), float64: how many of them are positive.
    """

    features: NDArray[np.float64]
    rows: NDArray[np.float64]
    positives: NDArray[np.float64]

    def pooled(self) -> BinnedRows:
        """All classes as one."""
        features = self.features.reshape(1, -1, self.features.shape[2])
        return BinnedRows(features, self.rows.reshape(1, -1), self.positives.reshape(1, -1))


def features_of(scores: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """What the calibrated logit is linear in, the constant first; shape (..., D), of probabilities (...)."""
    clipped = np.clip(scores, _SMALLEST, _LARGEST)
    low, high = np.log(clipped), -np.log1p(-clipped)
    parts = [np.ones_like(clipped), low + high] if kind == "platt" else [np.ones_like(clipped), low, high]
    return np.stack(parts, axis=-1)


def calibrate(ranked: Sequence[RankedClass], kind: Kind, *, pull: float) -> NDArray[np.float64]:
    """Fit each class.

    The pooled fit counts as ``pull`` positives with their share of negatives: the penalty is the pooled likelihood's
    curvature at its maximum, scaled to so many positives.

    Args:
        ranked: C classes, at least one, each with at least one row.
        kind: Platt's or the beta calibration.
        pull: How many positives the pooled fit counts as, >= 0.

    Returns:
        Coefficients, shape (C, D), of ``features_of``; finite, slopes >= 0.
    """
    rows = _bin_rows(ranked, kind)
    pool = rows.pooled()
    identity = np.array([0.0] + [1.0] * (rows.features.shape[2] - 1))
    center = _fit(pool, identity[None, :], _WEAK * np.eye(len(identity))[None])
    per_positive = _curvature(pool, center) / max(1.0, float(pool.positives.sum()))
    precision = pull * per_positive + _WEAK * np.eye(len(identity))
    start = np.repeat(center, len(ranked), axis=0)
    return _fit(rows, start, np.repeat(precision, len(ranked), axis=0))


def _bin_rows(ranked: Sequence[RankedClass], kind: Kind) -> BinnedRows:
    binned = [_bin_class(one, kind) for one in ranked]
    width = max(len(rows) for _, rows, _ in binned)
    padded = BinnedRows(
        np.zeros((len(binned), width, binned[0][0].shape[1])),
        np.zeros((len(binned), width)),
        np.zeros((len(binned), width)),
    )
    for number, (features, rows, positives) in enumerate(binned):
        padded.features[number, : len(rows)] = features
        padded.rows[number, : len(rows)] = rows
        padded.positives[number, : len(rows)] = positives
    return padded


def _bin_class(one: RankedClass, kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n = len(one.scores)
    widths = np.linspace(0.0, 1.0, min(n, N_BINS) + 1)[:-1]
    starts = np.arange(n) if n <= N_BINS else np.unique(n - np.ceil(n * (1 - widths) ** 2).astype(np.int64))
    starts = np.unique(np.searchsorted(one.scores, one.scores[starts]))  # equal scores share a bin
    rows = np.diff(np.append(starts, n)).astype(np.float64)
    positives = np.add.reduceat(one.positive.astype(np.float64), starts)
    features = np.add.reduceat(features_of(one.scores, kind), starts, axis=0) / rows[:, None]
    return features, rows, positives


def _fit(rows: BinnedRows, center: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Penalised maximum likelihood with slopes >= 0: a slope that wants to be negative is set to 0 for good."""
    free = np.ones(center.shape, dtype=np.bool_)
    found = center
    for _ in range(center.shape[1]):
        found = _newton(rows, np.where(free, center, 0.0), precision, free)
        negative = found < 0
        negative[:, 0] = False
        if not negative.any():
            break
        free &= ~negative
    return found


def _newton(
    rows: BinnedRows, center: NDArray[np.float64], precision: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Newton's method with halved steps, all classes at once, from ``center``; coefficients that are not free stay."""
    found = center.copy()
    loss = _loss(rows, found, center, precision)
    both_free = free[:, :, None] & free[:, None, :]
    fixed = np.where(free, 0.0, 1.0)[:, :, None] * np.eye(center.shape[1])
    for _ in range(_STEPS):
        residual = rows.positives - rows.rows * expit(_logits(rows, found))
        gradient = np.einsum("cbd,cb->cd", rows.features, residual)
        gradient -= np.einsum("cde,ce->cd", precision, found - center)
        curvature = np.where(both_free, _curvature(rows, found) + precision, 0.0) + fixed
        solved = np.linalg.solve(curvature, np.where(free, gradient, 0.0)[:, :, None])
        step = np.asarray(solved[:, :, 0], dtype=np.float64)
        found, new_loss = _shortened(rows, found, step, (center, precision), loss)
        if np.all(loss - new_loss <= 1e-10 * (1.0 + np.abs(loss))):
            break
        loss = new_loss
    return found


def _shortened(
    rows: BinnedRows,
    found: NDArray[np.float64],
    step: NDArray[np.float64],
    prior: tuple[NDArray[np.float64], NDArray[np.float64]],
    loss: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The step of each class, halved until it does not lose; none where even a tiny one does."""
    size = np.ones(len(found))
    for _ in range(20):
        tried = found + size[:, None] * step
        new_loss = _loss(rows, tried, *prior)
        worse = new_loss > loss
        if not worse.any():
            return tried, new_loss
        size = np.where(worse, size / 2, size)
    return np.where(worse[:, None], found, tried), np.asarray(np.where(worse, loss, new_loss))


def _logits(rows: BinnedRows, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.matmul(rows.features, coefficients[:, :, None])[:, :, 0])


def _loss(
    rows: BinnedRows, coefficients: NDArray[np.float64], center: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    logits, off = _logits(rows, coefficients), coefficients - center
    fits = rows.positives * log_expit(logits) + (rows.rows - rows.positives) * log_expit(-logits)
    return np.asarray(0.5 * np.einsum("cd,cde,ce->c", off, precision, off) - fits.sum(axis=1))


def _curvature(rows: BinnedRows, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the negative log likelihood, shape (C, D, D)."""
    share = expit(_logits(rows, coefficients))
    weighted = rows.features * (rows.rows * share * (1 - share))[:, :, None]
    return np.asarray(np.matmul(weighted.transpose(0, 2, 1), rows.features))
