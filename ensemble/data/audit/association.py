"""Does what kind of file an image is tell its labels? Then a network may learn the scanner instead of the patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from ensemble.data.audit.rows import Rows
from ensemble.data.audit.scan import Scan
from ensemble.findings import Association

FEWEST = 10
"""A level, what is not of that level, positives and negatives need as many images each to be tested."""
MOST_LEVELS = 8
LARGEST_P = 0.01
LEAST_AUROC = 0.60
LEAST_V = 0.20


@dataclass(frozen=True, eq=False)
class _Column:
    """A property of the training files as numbers: of a level, 1 where an image has it.

    Attributes:
        values: Shape (N,), float64.
    """

    name: str
    level: str | None
    values: NDArray[np.float64]


def find_associations(scan: Scan, rows: Rows, class_names: Sequence[str]) -> tuple[tuple[Association, ...], int]:
    """Test every property against every class, on labelled training rows.

    Returns:
        For each property and class the strongest level, the strong ones first, then by effect; and how many tests were
        made, by which each p-value was multiplied (Bonferroni).
    """
    train = rows.train
    # An image without a group is a witness of its own.
    witnesses = np.where(rows.groups[train] >= 0, rows.groups[train], len(rows) + np.arange(train.sum()))
    witnesses = np.unique(witnesses, return_inverse=True)[1].reshape(-1)
    raw = [
        association
        for column in _columns(scan, train)
        for name, labels in zip(class_names, rows.labels[train].T, strict=True)
        if (association := _associate(column, labels, witnesses, class_name=name)) is not None
    ]
    judged = [_judged(association, len(raw)) for association in raw]
    best: dict[tuple[str, str], Association] = {}
    for association in sorted(judged, key=_rank):
        best.setdefault((association.property, association.class_name), association)
    return tuple(best.values()), len(raw)


def _columns(scan: Scan, train: NDArray[np.bool_]) -> Iterator[_Column]:
    height, width = scan.sizes[train].T.astype(np.float64)
    for name, numbers in (("image height", height), ("image width", width), ("width / height", width / height)):
        if len(np.unique(numbers)) > 1:
            yield _Column(name, None, numbers)
    seen: set[bytes] = set()
    for name, values in scan.properties.items():
        levels, counts = np.unique(values[train], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        frequent = [place for place in order if FEWEST <= counts[place] <= train.sum() - FEWEST][:MOST_LEVELS]
        # Of two levels the second says what the first does; of JPEG files with the same tables, either.
        for place in frequent[1:] if len(levels) == 2 else frequent:
            has = values[train] == levels[place]
            if (key := has.tobytes()) not in seen:
                seen |= {key, (~has).tobytes()}
                yield _Column(name, str(levels[place]), has.astype(np.float64))


def _associate(
    column: _Column, labels: NDArray[np.float64], witnesses: NDArray[np.int64], *, class_name: str
) -> Association | None:
    """One test; None where there are too few images for one. The p-value is not yet corrected."""
    labelled = ~np.isnan(labels)
    positive, values, owners = labels[labelled] == 1, column.values[labelled], witnesses[labelled]
    n_positive, n_level = int(positive.sum()), int(values.sum())
    sizes = [n_positive, len(positive) - n_positive]
    sizes += [] if column.level is None else [n_level, len(positive) - n_level]
    ranks = rankdata(values)
    if min(sizes) < FEWEST or ranks.min() == ranks.max():
        return None
    auroc = (ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (sizes[0] * sizes[1])
    association = Association(
        property=column.name,
        level=column.level,
        class_name=class_name,
        auroc=float(auroc),
        cramers_v=None,
        rate=None,
        other_rate=None,
        n_level=None,
        p_value=_p_value(ranks, positive, owners),
        strong=False,
    )
    if column.level is None:
        return association
    return replace(
        association,
        cramers_v=float(abs(np.corrcoef(values, positive)[0, 1])),  # of a 2 x 2 table V is |phi|
        rate=float(positive[values == 1].mean()),
        other_rate=float(positive[values == 0].mean()),
        n_level=n_level,
    )


def _p_value(ranks: NDArray[np.float64], positive: NDArray[np.bool_], witnesses: NDArray[np.int64]) -> float:
    """Two-sided, of a score test whose variance is summed over groups: a patient with 60 images is one witness.

    With ``u_g = sum over the group of (rank - mean)(label - mean)``: ``z = sum u_g / sqrt(sum u_g ** 2)``. As |z| is at
    most the root of the number of groups that speak, a few cases can never be significant.

    Source: Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986), their
    robust variance, in the score test of Wilcoxon's ranks.
    """
    terms = (ranks - ranks.mean()) * (positive - positive.mean())
    by_group = np.bincount(witnesses, weights=terms)
    spread = float(np.sqrt(np.sum(by_group**2)))
    return float(2 * norm.sf(abs(by_group.sum()) / spread)) if spread > 0 else 1.0


def _judged(association: Association, n_tests: int) -> Association:
    p_value = min(1.0, association.p_value * n_tests)
    large = abs(association.auroc - 0.5) >= LEAST_AUROC - 0.5 or (association.cramers_v or 0.0) >= LEAST_V
    return replace(association, p_value=p_value, strong=p_value < LARGEST_P and large)


def _rank(association: Association) -> tuple[bool, float]:
    return not association.strong, -max(abs(association.auroc - 0.5) * 2, association.cramers_v or 0.0)
