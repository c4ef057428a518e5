import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss, roc_auc_score

from ensemble import metrics

NAN = np.nan
RNG = np.random.default_rng(0)
LABELS = (RNG.random((60, 4)) < 0.3).astype(float)
DECISIONS = RNG.random((60, 4)) < 0.4
SCORES = RNG.random((60, 4))


def test_all_agree_with_scikit_learn_on_full_labels() -> None:
    for average in ("macro", "micro"):
        ours = getattr(metrics, f"{average}_f1")(LABELS, DECISIONS)
        assert ours == pytest.approx(f1_score(LABELS, DECISIONS, average=average, zero_division=0))
    assert metrics.sample_f1(LABELS, DECISIONS) == pytest.approx(
        f1_score(LABELS, DECISIONS, average="samples", zero_division=1)
    )
    assert metrics.subset_accuracy(LABELS, DECISIONS) == pytest.approx(accuracy_score(LABELS, DECISIONS))
    assert metrics.label_accuracy(LABELS, DECISIONS) == pytest.approx((LABELS == DECISIONS).mean())
    assert metrics.macro_average_precision(LABELS, SCORES) == pytest.approx(average_precision_score(LABELS, SCORES))
    assert metrics.macro_auroc(LABELS, SCORES) == pytest.approx(roc_auc_score(LABELS, SCORES))
    for column, found in enumerate(metrics.class_log_loss(LABELS, SCORES)):
        assert found == pytest.approx(log_loss(LABELS[:, column], SCORES[:, column]))


def test_log_loss_uses_labelled_rows_and_stays_finite() -> None:
    labels = np.array([[1, NAN, NAN], [0, 1, NAN]])
    found = metrics.class_log_loss(labels, [[0.5, 0.0, 0.5], [0.75, 0.0, 0.5]])
    assert found[0] == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert found[1] == pytest.approx(52 * math.log(2))
    assert math.isnan(found[2])
    assert metrics.macro_log_loss(labels, [[0.5, 0.0, 0.5], [0.75, 0.0, 0.5]]) == pytest.approx(found[:2].mean())


def test_nothing_over_nothing_is_zero_for_a_class() -> None:
    counts = metrics.confusion_counts([[0, 1], [0, 0]], [[False, True], [False, False]])
    assert counts.f1.tolist() == [0.0, 1.0]
    assert counts.precision.tolist() == [0.0, 1.0]
    assert counts.recall.tolist() == [0.0, 1.0]
    assert metrics.macro_f1([[0, 1], [0, 0]], [[False, True], [False, False]]) == 0.5
    assert metrics.micro_f1([[0]], [[False]]) == 0.0


def test_nothing_over_nothing_is_one_for_a_row() -> None:
    assert metrics.sample_f1([[0, 0], [1, 0]], [[False, False], [False, False]]) == 0.5


def test_unlabelled_cells_count_for_nothing() -> None:
    labels = np.array([[1, NAN], [0, 1], [NAN, NAN]])
    decisions = np.array([[True, True], [True, True], [True, True]])
    counts = metrics.confusion_counts(labels, decisions)
    assert counts.labelled.tolist() == [2, 1]
    assert (counts.true_positives.tolist(), counts.false_positives.tolist()) == ([1, 1], [1, 0])
    assert metrics.class_f1(labels, decisions) == pytest.approx([2 / 3, 1.0])
    assert metrics.micro_f1(labels, decisions) == pytest.approx(4 / 5)
    assert metrics.sample_f1(labels, decisions) == pytest.approx((1.0 + 2 / 3) / 2)
    assert metrics.subset_accuracy(labels, decisions) == 0.0
    assert metrics.label_accuracy(labels, decisions) == pytest.approx(2 / 3)


def test_a_class_without_labels_is_left_out_of_means() -> None:
    labels, decisions = np.array([[1, NAN], [0, NAN]]), np.array([[True, True], [False, False]])
    assert metrics.macro_f1(labels, decisions) == 1.0
    assert np.isnan(metrics.class_f1(labels, decisions)[1])
    assert math.isnan(metrics.macro_f1(labels[:, 1:], decisions[:, 1:]))
    assert math.isnan(metrics.subset_accuracy(labels, decisions))
    assert math.isnan(metrics.label_accuracy(labels[:, 1:], decisions[:, 1:]))


def test_ranking_scores_need_both_kinds() -> None:
    labels = np.array([[1, 0, 1, NAN], [0, 0, 1, NAN]])
    scores = np.array([[0.9, 0.1, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4]])
    assert metrics.class_auroc(labels, scores) == pytest.approx([1.0, NAN, NAN, NAN], nan_ok=True)
    assert metrics.class_average_precision(labels, scores) == pytest.approx([1.0, NAN, 1.0, NAN], nan_ok=True)
    assert metrics.macro_auroc(labels, scores) == 1.0
    assert math.isnan(metrics.macro_auroc(labels[:, 1:], scores[:, 1:]))
