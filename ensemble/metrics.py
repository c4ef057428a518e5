r"""Every score, defined once, in float64.

.. math:: F_1 = \frac{2 TP}{2 TP + FP + FN}

For a class, 0/0 is 0 (scikit-learn's ``zero_division=0``, the contests' rule). For a row (``sample_f1``) 0/0 is 1:
finding nothing on a healthy patient is right. A class without any labelled row has no score (NaN) and is left out of
means. Labels that are NaN ("not labelled") are masked: class metrics use a class's labelled rows, ``sample_f1`` a
row's labelled classes, ``subset_accuracy`` fully labelled rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import checked_decisions, checked_labels, checked_probabilities


@dataclass(frozen=True, eq=False)
class ConfusionCounts:
    """What was decided of each class, on its labelled rows. All of shape (C,), int64."""

    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    false_negatives: NDArray[np.int64]
    true_negatives: NDArray[np.int64]

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Labelled rows of each class."""
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def positives(self) -> NDArray[np.int64]:
        """Positive rows of each class."""
        return self.true_positives + self.false_negatives

    @property
    def precision(self) -> NDArray[np.float64]:
        """Shape (C,): share of positive decisions that are right; 0/0 = 0, NaN without a labelled row."""
        return self._share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Shape (C,): share of positives that are found; 0/0 = 0, NaN without a labelled row."""
        return self._share(self.true_positives, self.positives)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Shape (C,): F1; 0/0 = 0, NaN without a labelled row."""
        doubled = 2 * self.true_positives
        return self._share(doubled, doubled + self.false_positives + self.false_negatives)

    def _share(self, part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(self.labelled > 0, part / np.maximum(whole, 1), np.nan)


def confusion_counts(labels: ArrayLike, decisions: ArrayLike) -> ConfusionCounts:
    """Count right and wrong decisions per class.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        decisions: Shape (N, C), bool.

    Raises:
        ArrayError: Shapes or values are not so.
    """
    truth, decided = _labels_and_decisions(labels, decisions)
    positive, negative = truth == 1, truth == 0
    cells = (positive & decided, negative & decided, positive & ~decided, negative & ~decided)
    return ConfusionCounts(*(cell.sum(axis=0, dtype=np.int64) for cell in cells))


def class_f1(labels: ArrayLike, decisions: ArrayLike) -> NDArray[np.float64]:
    """F1 of each class, shape (C,). Arguments and errors as for ``confusion_counts``."""
    return confusion_counts(labels, decisions).f1


def macro_f1(labels: ArrayLike, decisions: ArrayLike) -> float:
    """Mean over classes of F1 ("mean F1"); NaN if no class has a labelled row.

    Arguments and errors as for ``confusion_counts``.
    """
    return mean_of_defined(class_f1(labels, decisions))


def micro_f1(labels: ArrayLike, decisions: ArrayLike) -> float:
    """F1 of the counts pooled over classes; 0/0 = 0. Arguments and errors as for ``confusion_counts``."""
    counts = confusion_counts(labels, decisions)
    doubled = 2 * int(counts.true_positives.sum())
    wrong = int(counts.false_positives.sum() + counts.false_negatives.sum())
    return doubled / (doubled + wrong) if doubled + wrong else 0.0


def sample_f1(labels: ArrayLike, decisions: ArrayLike) -> float:
    """Mean over rows of the F1 of a row's labelled classes; 0/0 = 1. Rows without a labelled class are left out.

    Arguments and errors as for ``confusion_counts``.
    """
    truth, decided = _labels_and_decisions(labels, decisions)
    labelled = ~np.isnan(truth)
    doubled = 2.0 * ((truth == 1) & decided).sum(axis=1)
    involved = (truth == 1).sum(axis=1) + (decided & labelled).sum(axis=1)
    row_f1 = np.where(involved > 0, doubled / np.maximum(involved, 1), 1.0)
    return mean_of_defined(np.where(labelled.any(axis=1), row_f1, np.nan))


def subset_accuracy(labels: ArrayLike, decisions: ArrayLike) -> float:
    """Share of fully labelled rows of which every class is right. Arguments and errors as for ``confusion_counts``."""
    truth, decided = _labels_and_decisions(labels, decisions)
    right = ((truth == 1) == decided).all(axis=1)
    return mean_of_defined(np.where(np.isnan(truth).any(axis=1), np.nan, right))


def label_accuracy(labels: ArrayLike, decisions: ArrayLike) -> float:
    """Share of single labels that are right. Arguments and errors as for ``confusion_counts``."""
    truth, decided = _labels_and_decisions(labels, decisions)
    return mean_of_defined(np.where(np.isnan(truth), np.nan, (truth == 1) == decided))


def class_average_precision(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """Average precision of each class, shape (C,); NaN for a class without a labelled positive.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        probabilities: Shape (N, C), in [0, 1].

    Raises:
        ArrayError: Shapes or values are not so.
    """
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - costs half a second

    return _ranking_scores(labels, probabilities, average_precision_score, needs_negatives=False)


def class_auroc(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """Area under the ROC curve of each class, shape (C,); NaN for a class without positives or without negatives.

    Arguments and errors as for ``class_average_precision``.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    return _ranking_scores(labels, probabilities, roc_auc_score, needs_negatives=True)


def macro_average_precision(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean of ``class_average_precision`` over the classes that have one; NaN if none has."""
    return mean_of_defined(class_average_precision(labels, probabilities))


def macro_auroc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean of ``class_auroc`` over the classes that have one; NaN if none has."""
    return mean_of_defined(class_auroc(labels, probabilities))


def class_log_loss(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    r"""Mean over a class's labelled rows of :math:`-y \ln p - (1 - y) \ln(1 - p)`, shape (C,); NaN without any.

    Probabilities are kept 2^-52 away from 0 and 1, as scikit-learn keeps them: being sure and wrong costs 36.

    Arguments and errors as for ``class_average_precision``.
    """
    truth = checked_labels(labels)
    scores = checked_probabilities(probabilities, truth.shape).astype(np.float64, copy=False)
    margin = np.finfo(np.float64).eps
    costs = -np.log(np.clip(np.where(truth == 1, scores, 1 - scores), margin, 1 - margin))
    labelled = ~np.isnan(truth)
    counts = labelled.sum(axis=0)
    return np.where(counts > 0, np.where(labelled, costs, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def macro_log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean of ``class_log_loss`` over the classes that have a labelled row; NaN if none has."""
    return mean_of_defined(class_log_loss(labels, probabilities))


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _labels_and_decisions(labels: ArrayLike, decisions: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    truth = checked_labels(labels)
    return truth, checked_decisions(decisions, truth.shape)


def _ranking_scores(
    labels: ArrayLike,
    probabilities: ArrayLike,
    score: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    *,
    needs_negatives: bool,
) -> NDArray[np.float64]:
    truth = checked_labels(labels)
    scores = checked_probabilities(probabilities, truth.shape).astype(np.float64, copy=False)
    result = np.full(truth.shape[1], np.nan)
    for column in range(truth.shape[1]):
        positive, negative = truth[:, column] == 1, truth[:, column] == 0
        if positive.any() and (negative.any() or not needs_negatives):
            labelled = positive | negative
            result[column] = score(truth[labelled, column], scores[labelled, column])
    return result
