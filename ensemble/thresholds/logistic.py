"""Penalised logistic regression of many classes at once, on counted rows, with slopes that are not negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

_STEPS = 50
_HALVINGS = 20
_TOLERANCE = 1e-9
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class BinnedRows:
    """Rows of C classes, counted in B bins of like scores.

    Attributes:
        features: Shape (C, B, D): means over the bin, the constant 1 first.
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

    def logits(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (C, B), of ``coefficients`` (C, D)."""
        return np.asarray(np.matmul(self.features, coefficients[:, :, None])[:, :, 0])

    def curvature(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the negative log likelihood at ``coefficients``, shape (C, D, D)."""
        share = expit(self.logits(coefficients))
        weighted = self.features * (self.rows * share * (1 - share))[:, :, None]
        return np.asarray(np.matmul(weighted.transpose(0, 2, 1), self.features))


@dataclass(frozen=True, eq=False)
class Normal:
    """What is known of each class's coefficients beforehand.

    Attributes:
        mean: Shape (D,).
        precision: Shape (D, D), positive definite.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]


def fit_logistic(rows: BinnedRows, prior: Normal, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most probable coefficients of each class, shape (C, D), finite, slopes >= 0.

    A slope that wants to be negative is set to 0, and the others are fitted without it.

    Args:
        rows: Of C classes.
        prior: Keeps the fit finite where scores separate.
        start: Shape (C, D): where to begin.
    """
    found = start
    free = np.ones(found.shape, dtype=np.bool_)
    for _ in range(found.shape[1]):
        found = _newton(rows, prior, np.where(free, found, 0.0), free)
        negative = found < 0
        negative[:, 0] = False
        if not negative.any():
            break
        free &= ~negative
    return found


def _newton(
    rows: BinnedRows, prior: Normal, found: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Newton's method with halved steps; coefficients that are not free stay."""
    loss = _loss(rows, prior, found)
    both_free = free[:, :, None] & free[:, None, :]
    held = np.where(free, 0.0, 1.0)[:, :, None] * np.eye(free.shape[1])
    for _ in range(_STEPS):
        residual = rows.positives - rows.rows * expit(rows.logits(found))
        gradient = np.matmul(residual[:, None, :], rows.features)[:, 0] - (found - prior.mean) @ prior.precision
        curvature = np.where(both_free, rows.curvature(found) + prior.precision, 0.0) + held
        solved = np.linalg.solve(curvature, np.where(free, gradient, 0.0)[:, :, None])
        found, new_loss = _step(rows, prior, found, np.asarray(solved[:, :, 0], dtype=np.float64), loss)
        if np.all(loss - new_loss <= _TOLERANCE * (1.0 + np.abs(loss))):
            break
        loss = new_loss
    return found


def _step(
    rows: BinnedRows,
    prior: Normal,
    found: NDArray[np.float64],
    step: NDArray[np.float64],
    loss: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each class's step, halved until it does not lose, and the loss after it; no step where even a tiny one loses."""
    size = np.ones(len(found))
    for _ in range(_HALVINGS):
        tried = found + size[:, None] * step
        new_loss = _loss(rows, prior, tried)
        worse = new_loss > loss + _ROUNDING * (1.0 + np.abs(loss))
        if not worse.any():
            return tried, new_loss
        size = np.where(worse, size / 2, size)
    return np.where(worse[:, None], found, tried), np.asarray(np.where(worse, loss, new_loss))


def _loss(rows: BinnedRows, prior: Normal, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    logits, off = rows.logits(coefficients), coefficients - prior.mean
    fits = rows.positives * log_expit(logits) + (rows.rows - rows.positives) * log_expit(-logits)
    return np.asarray(0.5 * ((off @ prior.precision) * off).sum(axis=1) - fits.sum(axis=1))
