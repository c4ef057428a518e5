"""Near-duplicates: pairs whose perceptual hashes and thumbnails agree. Every pair is looked at; few are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.files import HASH_BITS
from ensemble.data.audit.rows import RELATIONS, Rows
from ensemble.data.audit.scan import Scan

MOST_BITS = 32
"""Hashes of near-duplicates differ in at most this many of 256 bits."""
LEAST_CORRELATION = 0.95
"""Their thumbnails correlate at least so."""

_BLOCK = 512
_KEPT = 24


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Near-duplicates by the relation of the two rows, a number from ``RELATIONS``.

    Attributes:
        counts: Shape (R,), int64: pairs.
        involved: Shape (R, N), bool: rows with such a partner.
        examples: For each relation the most alike pairs, shape (at most 24, 2), int64, the most alike first.
        compared: Shape (N,), bool: rows that were looked at.
    """

    counts: NDArray[np.int64]
    involved: NDArray[np.bool_]
    examples: tuple[NDArray[np.int64], ...]
    compared: NDArray[np.bool_]


def find_near_pairs(scan: Scan, rows: Rows) -> NearPairs:
    """Compare every image with every other; those that are flat or tiny are left out, for their hashes say nothing.

    Identical images are no near-duplicates here. Time grows with N², memory with N: pairs are counted, not stored.
    """
    compared = ~(scan.flat | scan.tiny)
    counts = np.zeros(len(RELATIONS), dtype=np.int64)
    involved = np.zeros((len(RELATIONS), len(rows)), dtype=bool)
    kept: list[list[NDArray[np.int64]]] = [[] for _ in RELATIONS]
    for pairs, distances in _pairs(scan, np.flatnonzero(compared)):
        relations = rows.relation(pairs[:, 0], pairs[:, 1])
        counts += np.bincount(relations, minlength=len(RELATIONS))
        for relation in np.unique(relations).tolist():
            chosen = relations == relation
            involved[relation, pairs[chosen].ravel()] = True
            found = np.concatenate([distances[chosen, None], pairs[chosen]], axis=1)
            kept[relation] = [_most_alike(np.concatenate([*kept[relation], found]))]
    examples = tuple(part[0][:, 1:] if part else np.empty((0, 2), dtype=np.int64) for part in kept)
    return NearPairs(counts, involved, examples, compared)


def _most_alike(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of triples (distance, row, row) in ascending order."""
    return found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))[:_KEPT]]


def _pairs(scan: Scan, chosen: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks of pairs, shape (P, 2), first < second, and their distances, shape (P,)."""
    # Of vectors of -1 and 1 the product is HASH_BITS less twice the distance: exact in float32, and fast.
    signs = 2 * np.unpackbits(scan.bits[chosen], axis=1).astype(np.float32) - 1
    for start in range(0, len(chosen), _BLOCK):
        block = signs[start : start + _BLOCK]
        products = block @ signs[start:].T
        near = np.triu(products >= HASH_BITS - 2 * MOST_BITS, k=1)
        near &= scan.pixels[chosen[start : start + _BLOCK], None] != scan.pixels[chosen[start:]]
        if not near.any():
            continue
        first, second = _also_correlated(scan, chosen[start:], near)
        if len(first):
            distances = ((HASH_BITS - products[first, second]) / 2).astype(np.int64)
            yield np.stack([chosen[start + first], chosen[start + second]], axis=1), distances


def _also_correlated(
    scan: Scan, columns: NDArray[np.int64], near: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the candidates ``near``, shape (block, columns), those whose thumbnails correlate: their rows and columns."""
    block_rows, candidates = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    left = _standardised(scan.thumbs[columns[block_rows]])
    right = _standardised(scan.thumbs[columns[candidates]])
    agree = near[np.ix_(block_rows, candidates)] & (left @ right.T >= LEAST_CORRELATION)
    first, second = np.nonzero(agree)
    return block_rows[first], candidates[second]


def _standardised(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shape (n, pixels): of mean 0 and norm 1, so that a product is a correlation."""
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), dtype=np.float32)
