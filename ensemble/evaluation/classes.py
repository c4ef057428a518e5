"""The blend, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.rows import LabelledRows
from ensemble.metrics import class_auroc, class_average_precision, class_f1, confusion_counts
from ensemble.predictions import PredictionTable
from ensemble.results import ClassResult
from ensemble.thresholds import decide


def class_results(
    class_names: Sequence[str],
    rows: LabelledRows,
    fitted: CrossFit,
    *,
    thresholds: NDArray[np.float64],
    tables: Mapping[str, PredictionTable],
) -> list[ClassResult]:
    """One result a class.

    Args:
        class_names: C names.
        rows: The N training rows.
        fitted: The blend's cross-fitted decisions on them.
        thresholds: Shape (C,), the final ones.
        tables: The blend's, by split.
    """
    counts = confusion_counts(rows.labels, fitted.decisions)
    probabilities = tables["oof"].probabilities()
    # Column by column: the fields of ClassResult after ``name``, in their order.
    columns = [
        counts.labelled,
        counts.positives,
        rows.positive_groups(),
        thresholds,
        fitted.thresholds.T,
        counts.true_positives,
        counts.false_positives,
        counts.false_negatives,
        counts.true_negatives,
        counts.precision,
        counts.recall,
        counts.f1,
        class_f1(rows.labels, decide(probabilities, thresholds)),
        class_auroc(rows.labels, probabilities),
        class_average_precision(rows.labels, probabilities),
        np.where(counts.labelled > 0, counts.positives / np.maximum(counts.labelled, 1), np.nan),
        _test_rates(tables.get("test"), thresholds),
    ]
    per_class = zip(class_names, *(_plain(column) for column in columns), strict=True)
    return [ClassResult(*values) for values in per_class]


def _plain(column: Sequence[object] | NDArray[np.generic]) -> list[object]:
    """Python numbers; a class's row of numbers becomes a tuple."""
    listed = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [tuple(item) if isinstance(item, list) else item for item in listed]


def _test_rates(table: PredictionTable | None, thresholds: NDArray[np.float64]) -> list[float | None]:
    if table is None or not len(table):
        return [None] * len(thresholds)
    return list(decide(table.probabilities(), thresholds).mean(axis=0).tolist())
