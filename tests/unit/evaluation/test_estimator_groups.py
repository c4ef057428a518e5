"""The scikit-learn estimator sends groups and weights where they belong."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.special import expit
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, PredefinedSplit

from ensemble.arrays import ArrayError
from ensemble.evaluation import MultilabelThresholdClassifierCV
from ensemble.evaluation.held_out import EvenFolds

X, Y = make_multilabel_classification(160, 6, n_classes=3, n_labels=1, random_state=1)
X, Y = X.astype(np.float64), Y.astype(np.int64)
FOREST = RandomForestClassifier(5, random_state=0)


def tuned(estimator: Any = FOREST, **params: Any) -> MultilabelThresholdClassifierCV:
    return MultilabelThresholdClassifierCV(estimator, **{"cv": 3, "thresholds": "exact", **params})


GROUPS = np.repeat([f"patient {number}" for number in range(32)], 5)


class Spy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Remembers which rows it was fitted on (the first feature) and was asked about, and their weights."""

    seen: ClassVar[list[tuple[set[int], list[float] | None]]] = []
    asked: ClassVar[list[set[int]]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Spy:
        self.classes_ = np.arange(y.shape[1])
        type(self).seen.append((set(X[:, 0].astype(int)), None if sample_weight is None else list(sample_weight)))
        return self

    def predict_proba(self, X: Any) -> Any:
        type(self).asked.append(set(X[:, 0].astype(int)))
        return expit(X[:, 1:4] - 5.0)


@pytest.fixture
def spied() -> Any:
    Spy.seen, Spy.asked = [], []
    return np.column_stack([np.arange(len(X)), X])


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("cv", [4, GroupKFold(4)], ids=["number", "splitter"])
def test_no_group_is_divided_and_weights_go_with_their_rows(spied: Any, cv: Any, routing: bool) -> None:
    weights = np.arange(len(X), dtype=float)
    with config_context(enable_metadata_routing=routing):
        base = Spy().set_fit_request(sample_weight=True) if routing else Spy()
        tuned(base, cv=cv).fit(spied, Y, groups=GROUPS, sample_weight=weights)
    fits = Spy.seen[:4]
    for (fitted_on, own_weights), asked in zip(fits, Spy.asked, strict=True):
        assert own_weights == sorted(fitted_on)
        assert fitted_on | asked == set(range(len(X)))
        assert not {GROUPS[row] for row in fitted_on} & {GROUPS[row] for row in asked}
    assert len(Spy.seen) == 5
    assert Spy.seen[4][0] == set(range(len(X)))


HALVES = np.arange(len(X)) >= len(X) // 2 + 2  # cuts through one patient


@pytest.mark.parametrize(
    ("cv", "n_divided"),
    [
        (KFold(40, shuffle=True, random_state=0), 32),
        (PredefinedSplit(np.where(HALVES, 0, -1)), 1),
        ([(np.arange(100), np.arange(100, 132)), (np.arange(100), np.arange(132, 160))], 1),
    ],
    ids=["shuffled", "fitted on", "held out twice"],
)
def test_splits_that_divide_a_group_are_refused(cv: Any, n_divided: int) -> None:
    with pytest.raises(ArrayError, match=rf"whole on one side of each split, got {n_divided} of 32 divided"):
        tuned(cv=cv).fit(X, Y, groups=GROUPS)


def test_groups_widen_the_interval() -> None:
    alike = np.repeat(np.arange(32), 5)
    rows, labels = X[alike], Y[alike]
    grouped = tuned(FOREST, thresholds="prior").fit(rows, labels, groups=GROUPS).cross_fitted_interval_
    alone = tuned(FOREST, thresholds="prior").fit(rows, labels).cross_fitted_interval_
    assert np.diff(grouped) > 1.3 * np.diff(alone)


def test_it_works_inside_a_search_that_routes_groups(spied: Any) -> None:
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(tuned(Spy()), {"thresholds": ["exact", "prior"]}, cv=GroupKFold(2), scoring="f1_macro")
        search.fit(spied, Y, groups=GROUPS)
    assert search.best_params_["thresholds"] in ("exact", "prior")
    group_of = dict(enumerate(GROUPS.tolist()))
    folds = [pair for pair in zip(Spy.seen, Spy.asked, strict=False) if not pair[0][0] & pair[1]]
    assert folds
    assert all(not {group_of[row] for row in one[0]} & {group_of[row] for row in asked} for one, asked in folds)


def test_the_splitter_keeps_groups_together() -> None:
    parts = list(EvenFolds(4, seed=0).split(X, Y, GROUPS))
    assert EvenFolds(4, seed=0).get_n_splits() == len(parts) == 4
    assert sorted(np.concatenate([held_out for _, held_out in parts]).tolist()) == list(range(len(X)))
    assert all(not set(GROUPS[fitting]) & set(GROUPS[held_out]) for fitting, held_out in parts)
