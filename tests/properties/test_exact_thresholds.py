"""``exact_thresholds`` gives, to the last bit, what trying every cut gives: however it counts, sorts and reads."""

import math
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ensemble.thresholds import exact_thresholds
from ensemble.thresholds.binned import find_rivals

SMALLEST = 5e-324
AWKWARD = [-0.0, 0.0, SMALLEST, 2 * SMALLEST, 1e-310, 1e-45, 1e-38, 0.1, 0.25, 0.5, 0.75, 1.0]
AWKWARD += [math.nextafter(0.5, 1.0), math.nextafter(0.5, 0.0), math.nextafter(1.0, 0.0), 0.5 + 2**-30]
AWKWARD_32 = [-0.0, 0.0, *(float(np.float32(value)) for value in (1e-45, 3e-45, 1e-38, 0.1, 0.3, 0.5, 1))]
AWKWARD_32 += [float(np.nextafter(np.float32(value), np.float32(to))) for value, to in ((0.5, 0), (0.5, 1), (1, 0))]
LAYOUTS: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
    np.ascontiguousarray,
    np.asfortranarray,
    lambda array: np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3],
    lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels of any type, with NaN where the type has it; probabilities with ties, neighbours and ends; any layout."""
    shape = draw(st.integers(1, 16)), draw(st.integers(1, 3))
    single = draw(st.booleans())
    kind = np.dtype(draw(st.sampled_from(["float64", "float32", "float16", "uint8", "int64", "bool"])))
    pool = st.sampled_from(draw(st.lists(st.sampled_from(AWKWARD_32 if single else AWKWARD), min_size=1, max_size=6)))
    score = draw(st.sampled_from([pool, st.one_of(pool, st.floats(0, 1, width=32))]))
    label = st.sampled_from([0.0, 0.0, 1.0, math.nan] if kind.kind == "f" else [0.0, 1.0])
    cells = shape[0] * shape[1]
    labels = np.array(draw(st.lists(label, min_size=cells, max_size=cells))).astype(kind).reshape(shape)
    scores = np.array(draw(st.lists(score, min_size=cells, max_size=cells)))
    scores = scores.astype(np.float32 if single else np.float64).reshape(shape)
    return draw(st.sampled_from(LAYOUTS))(labels), draw(st.sampled_from(LAYOUTS))(scores)


def try_every_cut(labels: NDArray[Any], scores: NDArray[Any], beta: float) -> float:
    """The definition, one class: of the cuts at a labelled row's score the best, of equals the highest."""
    rows = [(float(s), float(y)) for y, s in zip(labels, scores, strict=True) if not math.isnan(y)]
    positives = sum(y for _, y in rows)
    if not positives:
        return 2.0
    best, best_cut = -1.0, math.nan
    for cut in sorted({s for s, _ in rows}, reverse=True):
        hits, selected = sum(y for s, y in rows if s >= cut), sum(s >= cut for s, _ in rows)
        value = (1.0 + beta**2) * hits / (selected + beta**2 * positives)
        if value > best:
            best, best_cut = value, cut
    lower = max((s for s, _ in rows if s < best_cut), default=None)
    if lower is None:
        return 0.0
    midpoint = lower + (best_cut - lower) / 2
    return midpoint if midpoint > lower else best_cut


@given(tables(), st.sampled_from([1.0, 1.0, 0.5, 2.0, 1e-3, 30.0]), st.sampled_from([0, 1, 5, 100]), st.integers(1, 14))
@settings(max_examples=400, deadline=None)
def test_exact_is_brute_force_to_the_last_bit(
    table: tuple[NDArray[Any], NDArray[Any]], beta: float, most_sorted: int, bin_bits: int
) -> None:
    labels, scores = table
    expected = [try_every_cut(labels[:, one], scores[:, one], beta) for one in range(labels.shape[1])]
    with mock.patch.multiple("ensemble.thresholds.binned", MOST_SORTED=most_sorted, _BIN_BITS=bin_bits):
        found = exact_thresholds(labels, scores, beta=beta)
    assert found.tolist() == expected


@given(tables(), st.sampled_from([1.0, 0.5, 3.0]), st.integers(1, 14))
@settings(max_examples=150, deadline=None)
def test_what_is_said_of_rivals_is_so(table: tuple[NDArray[Any], NDArray[Any]], beta: float, bin_bits: int) -> None:
    scores, positive = np.abs(np.ascontiguousarray(table[1][:, 0])), np.ascontiguousarray(table[0][:, 0] == 1)
    if not positive.any():
        return
    with mock.patch.multiple("ensemble.thresholds.binned", MOST_SORTED=0, _BIN_BITS=bin_bits):
        rivals = find_rivals(scores, positive, beta)
    firsts = np.flatnonzero(np.diff(rivals.cuts, prepend=-1.0))
    for place in range(len(rivals.cuts)):
        cut = rivals.cuts[place]
        assert cut in scores[positive]
        assert rivals.selected[place] == (scores >= cut).sum()
        assert rivals.hits[place] <= (positive & (scores >= cut)).sum()
        if place in firsts:
            assert rivals.hits[place] == (positive & (scores >= cut)).sum()
