"""The scikit-learn estimator says what it cannot use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedKFold

from ensemble.arrays import ArrayError
from ensemble.evaluation import MultilabelThresholdClassifierCV

X, Y = make_multilabel_classification(160, 6, n_classes=3, n_labels=1, random_state=1)
X, Y = X.astype(np.float64), Y.astype(np.int64)
FOREST = RandomForestClassifier(5, random_state=0)


def tuned(estimator: Any = FOREST, **params: Any) -> MultilabelThresholdClassifierCV:
    return MultilabelThresholdClassifierCV(estimator, **{"cv": 3, "thresholds": "exact", **params})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"metric": "accuracy"}, "metric: expected one of macro_f1"),
        ({"beta": 2.0}, "macro_f1 has no beta"),
        ({"thresholds": "best"}, "threshold rule: expected one of fixed"),
        ({"metric": "micro_f1", "thresholds": "prior"}, "works class by class"),
        ({"response_method": "predict"}, "response_method: expected one of auto, predict_proba, decision_function"),
        ({"refit": False}, "refit: expected True"),
        ({"cv": 1}, "cv: expected 2 to 160 folds"),
        ({"cv": 0.3}, "cv: expected a number of folds, a splitter"),
        ({"cv": "holdout"}, "cv: expected a number of folds, a splitter"),
        ({"cv": RepeatedKFold(n_splits=2, n_repeats=2)}, "expected each row in at most one validation part, got 160"),
        ({"cv": []}, "cv: expected at least one split"),
        ({"exclusive": 3}, "exclusive: expected a class number from 0 to 2, got 3"),
        ({"exclusive": "cyst"}, "exclusive: y has no column names, got 'cyst'"),
    ],
)
def test_parameters_that_cannot_be_used(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tuned(**params).fit(X, Y)


def test_targets_that_cannot_be_used() -> None:
    with pytest.raises(ArrayError, match="The type of the target is multiclass"):
        tuned(FOREST).fit(X, Y.sum(axis=1))
    with pytest.raises(ArrayError, match="The type of the target is multiclass-multioutput"):
        tuned(FOREST).fit(X, Y * 2 + np.arange(len(Y))[:, None] % 2)
    with pytest.raises(ArrayError, match=r"expected 0 and 1 in every column, got \[-1.0, 1.0\]"):
        tuned(FOREST).fit(X, 2 * Y - 1)
    with pytest.raises(ArrayError, match="at_least_one and exclusive are about several classes, got one"):
        tuned(LogisticRegression(), at_least_one=True).fit(X, Y[:, 0])
    with pytest.raises(ArrayError, match="n_folds is 5, but there are only 2 groups"):
        tuned(cv=5).fit(X, Y, groups=np.arange(len(X)) % 2)


def test_groups_that_are_missing() -> None:
    groups = np.where(np.arange(len(X)) < 3, np.nan, np.arange(len(X)) // 4)
    with pytest.raises(ArrayError, match="groups: expected one a row, got none for 3 rows"):
        tuned().fit(X, Y, groups=groups)
    named = np.array([None if np.isnan(one) else f"p{one:.0f}" for one in groups], dtype=object)
    named[0] = float("nan")
    with pytest.raises(ArrayError, match="groups: expected one a row, got none for 3 rows"):
        tuned().fit(X, Y, groups=named)


class Odd(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Answers something of its own."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def fit(self, X: Any, y: Any) -> Odd:
        self.classes_ = np.arange(3)
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.broadcast_to(self.answer, (len(X), len(self.answer)))


def test_answers_that_cannot_be_used() -> None:
    with pytest.raises(
        ArrayError, match=r"Odd.predict_proba: expected a number for each of 3 classes, got shape \(\d+, 2"
    ):
        tuned(Odd([0.1, 0.2])).fit(X, Y)
    with pytest.raises(
        ArrayError, match=r"Odd.predict_proba: expected finite numbers, got NaN or infinity in \d+ rows"
    ):
        tuned(Odd([0.1, np.nan, 0.2])).fit(X, Y)
