"""The blend, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.intervals import f1_intervals
from ensemble.evaluation.rows import LabelledRows
from ensemble.metrics import class_auroc, class_average_precision, class_f1, confusion_counts
from ensemble.predictions import PredictionTable
from ensemble.results import ClassResult
from ensemble.thresholds import Decider


def class_results(
    class_names: Sequence[str],
    rows: LabelledRows,
    *,
    fitted: CrossFit,
    decider: Decider,
    tables: Mapping[str, PredictionTable],
    test_decisions: NDArray[np.bool_] | None = None,
) -> list[ClassResult]:
    """One result a class.

    Args:
        class_names: C names.
        rows: The N training rows.
        fitted: The blend's cross-fitted decisions on them.
        decider: The final one, fitted on all of them.
        tables: The blend's, by split.
        test_decisions: Shape (N of test, C), bool, as they will be sent; None without test rows.
    """
    counts = confusion_counts(rows.labels, fitted.decisions)
    intervals = f1_intervals(rows.labels, fitted.decisions, groups=rows.groups)
    probabilities = tables["oof"].probabilities()
    in_sample_f1 = class_f1(rows.labels, decider(probabilities))
    auroc = class_auroc(rows.labels, probabilities)
    average_precision = class_average_precision(rows.labels, probabilities)
    positive_groups = rows.positive_groups()
    training_rates = np.where(counts.labelled > 0, counts.positives / np.maximum(counts.labelled, 1), np.nan)
    test_rates = _rates(test_decisions, len(class_names))
    return [
        ClassResult(
            name=name,
            labelled=int(counts.labelled[column]),
            positives=int(counts.positives[column]),
            positive_groups=int(positive_groups[column]),
            threshold=float(decider.thresholds[column]),
            fold_thresholds=tuple(fitted.thresholds[:, column].tolist()),
            tp=int(counts.true_positives[column]),
            fp=int(counts.false_positives[column]),
            fn=int(counts.false_negatives[column]),
            tn=int(counts.true_negatives[column]),
            precision=float(counts.precision[column]),
            recall=float(counts.recall[column]),
            f1=float(counts.f1[column]),
            f1_ci95=(float(intervals[column, 0]), float(intervals[column, 1])),
            in_sample_f1=float(in_sample_f1[column]),
            auroc=float(auroc[column]),
            average_precision=float(average_precision[column]),
            training_rate=float(training_rates[column]),
            test_rate=test_rates[column],
        )
        for column, name in enumerate(class_names)
    ]


def _rates(decisions: NDArray[np.bool_] | None, n_classes: int) -> list[float | None]:
    if decisions is None or not len(decisions):
        return [None] * n_classes
    return list(decisions.mean(axis=0).tolist())
