"""Means of members, in the precision that the blend is stored in: the arithmetic that tables and stacks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import AlignmentError

_LARGEST_EXPONENT = 700.0  # exp of more overflows float64
_ROWS_AT_ONCE = 2048  # so that what is computed of them stays in the cache
_WORTH_A_THREAD = 500_000  # numbers


def checked_weights(weights: NDArray[np.float64], n_members: int) -> NDArray[np.float64]:
    """Weights as they are, shape (M,) or (M, C), if they are such.

    Args:
        weights: >= 0, sum 1 over members.
        n_members: M, at least 1.

    Raises:
        AlignmentError: They are not.
    """
    if not n_members or weights.ndim not in (1, 2) or len(weights) != n_members:
        raise AlignmentError(f"a blend needs members and one weight each, got {n_members} and {weights.shape}")
    if not (weights >= 0).all() or not np.allclose(weights.sum(axis=0), 1.0, rtol=0, atol=1e-9):
        raise AlignmentError(f"weights must not be negative and sum to 1, got {weights.tolist()}")
    return weights


def logit_of_mean(
    members: Sequence[NDArray[np.float32]], weights: NDArray[np.float64], *, are_logits: Sequence[bool]
) -> NDArray[np.float32]:
    r"""The logit of the weighted mean of probabilities, :math:`\log\sum_m w_m p_m - \log\sum_m w_m (1 - p_m)`.

    Neither sum is a difference, so the logit is exact to float32 also where the probability rounds to 0 or 1. What is
    computed of a cell depends on this cell alone.

    Args:
        members: M arrays, shape (N, C): logits, or probabilities in [0, 1].
        weights: Shape (M,) or (M, C), >= 0, sum 1 over members.
        are_logits: M answers: which of them hold logits.

    Returns:
        Shape (N, C), float32; infinite only where all members with a weight hold the probability 0, or all 1.
    """

    def of_rows(rows: slice) -> NDArray[np.float32]:
        return _logit_of_mean([member[rows] for member in members], weights, are_logits)

    return by_rows(of_rows, len(members[0]), size=sum(member.size for member in members))


def weighted_mean(members: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """The weighted mean over axis 0, summed in float64.

    Args:
        members: Shape (M, N, C).
        weights: Shape (M,).

    Returns:
        Shape (N, C), float32.
    """

    def of_rows(rows: slice) -> NDArray[np.float32]:
        total = np.zeros(members[0, rows].shape)
        for member, weight in zip(members, weights, strict=True):
            total += weight * member[rows].astype(np.float64)
        return total.astype(np.float32)

    return by_rows(of_rows, members.shape[1], size=members.size)


def by_rows(of_rows: Callable[[slice], NDArray[np.float32]], n_rows: int, *, size: int) -> NDArray[np.float32]:
    """Compute a few rows at a time, on two threads where there is enough to do.

    Args:
        of_rows: Gives what belongs to some of the rows.
        n_rows: N.
        size: How many numbers are read in all.
    """
    slices = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, n_rows, _ROWS_AT_ONCE)]
    if not slices:
        return of_rows(slice(0, 0))
    if size < _WORTH_A_THREAD:
        return np.concatenate([of_rows(rows) for rows in slices])
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(of_rows, slices)))


def _logit_of_mean(
    members: Sequence[NDArray[np.float32]], weights: NDArray[np.float64], are_logits: Sequence[bool]
) -> NDArray[np.float32]:
    positive, negative = np.zeros(members[0].shape), np.zeros(members[0].shape)
    extreme = np.zeros(members[0].shape, dtype=np.bool_)
    for member, weight, is_logits in zip(members, weights, are_logits, strict=True):
        values = member.astype(np.float64)
        if is_logits:
            if member.size and max(member.max(), -member.min()) > _LARGEST_EXPONENT:
                extreme |= np.abs(values) > _LARGEST_EXPONENT
                np.clip(values, -_LARGEST_EXPONENT, _LARGEST_EXPONENT, out=values)
            odds = np.exp(values, out=values)
            share = weight / (1.0 + odds)
            negative += share
            positive += np.multiply(odds, share, out=odds)
        else:
            positive += weight * values
            negative += weight * (1.0 - values)
    with np.errstate(divide="ignore"):
        logits = np.log(positive) - np.log(negative)
    if extreme.any():
        logits[extreme] = _in_logs(members, weights, are_logits, where=extreme)
    return logits.astype(np.float32)


def _in_logs(
    members: Sequence[NDArray[np.float32]],
    weights: NDArray[np.float64],
    are_logits: Sequence[bool],
    *,
    where: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The same for cells whose exponentials do not fit float64; three times slower."""
    log_positive = np.full(int(where.sum()), -np.inf)
    log_negative = log_positive.copy()
    for member, weight, is_logits in zip(members, weights, are_logits, strict=True):
        values: NDArray[Any] = member[where].astype(np.float64)
        with np.errstate(divide="ignore"):
            log_weight = np.log(np.broadcast_to(weight, where.shape)[where])
            positive = -np.logaddexp(0.0, -values) if is_logits else np.log(values)
            negative = -np.logaddexp(0.0, values) if is_logits else np.log1p(-values)
        np.logaddexp(log_positive, log_weight + positive, out=log_positive)
        np.logaddexp(log_negative, log_weight + negative, out=log_negative)
    return np.asarray(log_positive - log_negative)
