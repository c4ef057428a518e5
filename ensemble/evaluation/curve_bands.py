"""How far each curve would move if other patients had been scored: the group bootstrap at the cuts of its grid.

A resample's curve is made of how many positives and negatives lie between neighbouring cuts. So rows are counted into
these cells once. Independent rows need no drawing one by one: the cells' counts are multinomial. Groups are drawn as
everywhere, and their cells are added up as one sparse matrix product: the work grows with rows times resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.curves import ClassCurve
from ensemble.evaluation.bootstrap import LEVEL
from ensemble.evaluation.curves import f_of_counts
from ensemble.evaluation.resampling import draw_units
from ensemble.evaluation.rows import LabelledRows
from ensemble.seeds import derive_seed

_RESAMPLES = 400


def with_bands(
    curves: Sequence[ClassCurve],
    rows: LabelledRows,
    *,
    probabilities: NDArray[Any],
    class_names: Sequence[str],
    n_resamples: int = _RESAMPLES,
    seed: int = 0,
) -> tuple[ClassCurve, ...]:
    """The curves with their bands; without, where there are fewer than two groups.

    Args:
        curves: As from ``class_curves``.
        rows: The N training rows.
        probabilities: Shape (N, C), in [0, 1]: of the blend fitted on all rows.
        class_names: C names.
        n_resamples: How many times groups are drawn.
        seed: The only source of chance.
    """
    columns = {name: column for column, name in enumerate(class_names)}
    cells = {
        one.name: _cells(one, rows.labels[:, columns[one.name]], probabilities[:, columns[one.name]]) for one in curves
    }
    if rows.groups is None:
        totals = {name: _of_rows(cell, n_resamples, derive_seed(seed, "curve", name)) for name, cell in cells.items()}
    elif len(np.unique(rows.groups)) < 2:
        return tuple(curves)
    else:
        totals = _of_groups(cells, rows.groups, n_resamples, seed)
    return tuple(replace(curve, band=_band(curve, totals[curve.name])) for curve in curves)


def _cells(curve: ClassCurve, labels: NDArray[np.float64], probabilities: NDArray[Any]) -> NDArray[np.int64]:
    """Shape (N,): how many cuts a row reaches, P + 1 more if it is negative; the last cell is for unlabelled rows."""
    width = len(curve.cuts) + 1
    reached = np.searchsorted(curve.cuts, probabilities, side="right")
    return np.where(np.isnan(labels), 2 * width, reached + width * (labels == 0))


def _of_rows(cells: NDArray[np.int64], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Shape (B, cells): counts of resampled rows."""
    counts = np.bincount(cells)
    used = np.flatnonzero(counts)
    totals = np.zeros((n_resamples, len(counts)))
    drawn = np.random.default_rng(seed).multinomial(len(cells), counts[used] / len(cells), size=n_resamples)
    totals[:, used] = drawn
    return totals


def _of_groups(
    cells: Mapping[str, NDArray[np.int64]], groups: NDArray[np.str_], n_resamples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Name to shape (B, cells): counts of resampled groups, the same for all classes."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - costs a tenth of a second

    owners, codes = np.unique(groups, return_inverse=True)
    counts = {
        name: csr_array((np.ones(len(cell), np.float32), (cell, codes.ravel())), shape=(cell.max() + 1, len(owners)))
        for name, cell in cells.items()
    }
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in cells}
    for weights in draw_units(len(owners), n_resamples, seed):
        columns = np.ascontiguousarray(weights.T)
        for name, one in counts.items():
            parts[name].append((one @ columns).T.astype(np.float64))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _band(curve: ClassCurve, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (2, P): the middle of F at every cut over resamples."""
    width = len(curve.cuts) + 1
    padded = np.zeros((len(totals), 2 * width))
    kept = totals[:, : 2 * width]
    padded[:, : kept.shape[1]] = kept
    reaching = padded.reshape(-1, 2, width)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    hits, false_alarms = reaching[:, 0, 1:], reaching[:, 1, 1:]
    f = f_of_counts(hits, hits + false_alarms, reaching[:, 0, :1], curve.beta)
    return np.quantile(f, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
