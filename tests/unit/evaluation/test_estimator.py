"""The scikit-learn estimator: scikit-learn's own checks, and what they do not look at."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from ensemble.arrays import ArrayError
from ensemble.evaluation import LabelledRows, MultilabelThresholdClassifierCV, cross_fit, fit_on_all
from ensemble.metric import Metric
from ensemble.metrics import macro_f1
from ensemble.thresholds import decide, threshold_rule

X, Y = make_multilabel_classification(160, 6, n_classes=3, n_labels=1, random_state=1)
X, Y = X.astype(np.float64), Y.astype(np.int64)
LOGISTIC = OneVsRestClassifier(LogisticRegression(C=0.1))
FOREST = RandomForestClassifier(5, random_state=0)
MOVED = {"check_classifier_multioutput": "expects predict to be predict_proba > 0.5, which is what is changed"}


def tuned(estimator: Any = LOGISTIC, **params: Any) -> MultilabelThresholdClassifierCV:
    return MultilabelThresholdClassifierCV(estimator, **{"cv": 3, "thresholds": "exact", **params})


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # type_of_target of infinity
@pytest.mark.filterwarnings("ignore:Label not .* is present in all:UserWarning")
@parametrize_with_checks(
    [
        MultilabelThresholdClassifierCV(LOGISTIC, cv=2, thresholds="fixed"),
        MultilabelThresholdClassifierCV(FOREST, cv=2, thresholds="prior"),
    ],
    expected_failed_checks=lambda one: {} if one.thresholds == "fixed" else MOVED,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "base",
    [
        LOGISTIC,
        FOREST,
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        KNeighborsClassifier(),
    ],
    ids=lambda base: type(base).__name__,
)
def test_all_forms_of_probabilities(base: Any) -> None:
    model = tuned(base).fit(X, Y)
    said = model.predict_proba(X)
    scores = np.stack([part[:, 1] for part in said], axis=1) if isinstance(said, list) else said
    assert model.thresholds_.shape == (3,)
    assert model.decision_scale_ is None
    assert np.array_equal(model.predict(X), decide(scores, model.thresholds_).astype(int))
    assert model.in_sample_score_ >= model.cross_fitted_score_
    low, high = model.cross_fitted_interval_
    assert 0 <= low <= model.cross_fitted_score_ <= high <= 1


def out_of_fold(base: Any, folds: NDArray[Any]) -> NDArray[np.float64]:
    scores = np.empty(Y.shape)
    for fold in np.unique(folds):
        scores[folds == fold] = clone(base).fit(X[folds != fold], Y[folds != fold]).predict_proba(X[folds == fold])
    return scores


def test_it_is_the_cross_fit_that_one_would_write_by_hand() -> None:
    folds = np.arange(len(X)) % 4
    parts = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(4)]
    model = tuned(cv=parts, thresholds="auto", random_state=7).fit(X, Y)
    scores, rule = out_of_fold(LOGISTIC, folds), threshold_rule("exact", metric=Metric())
    exact = tuned(cv=iter(parts), random_state=7).fit(X, Y)
    rows = LabelledRows(Y.astype(float), folds.astype(np.int16))
    by_hand = cross_fit(rule, scores, rows=rows)
    assert np.allclose(exact.thresholds_, fit_on_all(rule, scores, rows=rows))
    assert np.allclose(exact.fold_thresholds_, by_hand.thresholds)
    assert exact.cross_fitted_score_ == pytest.approx(macro_f1(Y, by_hand.decisions))
    assert exact.in_sample_score_ == pytest.approx(f1_score(Y, decide(scores, exact.thresholds_), average="macro"))
    assert np.array_equal(model.predict_proba(X), clone(LOGISTIC).fit(X, Y).predict_proba(X))
    assert not np.array_equal(model.thresholds_, exact.thresholds_)


def test_seeds_decide_everything() -> None:
    first, again, other = (tuned(thresholds="auto", random_state=seed).fit(X, Y) for seed in (0, 0, 1))
    assert np.array_equal(first.thresholds_, again.thresholds_)
    assert not np.array_equal(first.thresholds_, other.thresholds_)
    drawn = tuned(random_state=np.random.RandomState(0)).fit(X, Y)
    assert drawn.thresholds_.shape == (3,)


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [False, True], [3, 7]])
def test_one_label_of_any_type_is_one_class(labels: list[Any]) -> None:
    y = np.array(labels)[Y[:, 0]]
    model = tuned(LogisticRegression()).fit(X, y)
    assert model.thresholds_.shape == (1,)
    assert list(model.classes_) == sorted(labels)
    positive = model.predict_proba(X)[:, 1] >= model.thresholds_[0]
    assert np.array_equal(model.predict(X), np.array(labels)[positive.astype(int)])


def test_a_single_column_is_one_label_with_a_warning() -> None:
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = tuned(LogisticRegression()).fit(X, Y[:, :1])
    assert model.predict(X).shape == (len(X),)


def test_sparse_labels_and_pickles() -> None:
    model = tuned().fit(X, csc_array(Y))
    assert np.array_equal(model.predict(X), tuned().fit(X, Y).predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_folds_in_parallel_change_nothing() -> None:
    with parallel_config(backend="threading"):
        two = tuned(FOREST, n_jobs=2).fit(X, Y)
    assert np.array_equal(two.thresholds_, tuned(FOREST).fit(X, Y).thresholds_)


def test_decision_values_far_away_stay_different() -> None:
    base = OneVsRestClassifier(SGDClassifier(random_state=0))
    model = tuned(base).fit(X * 1000.0, Y)
    values = model.decision_function(X * 1000.0)
    assert np.abs(values).max() > 1e4
    assert (model.decision_scale_ > 100).all()
    scores = expit(values / model.decision_scale_)
    assert np.array_equal(model.predict(X * 1000.0), (scores >= model.thresholds_).astype(int))
    far, near = np.sort(values, axis=0), np.sort(scores, axis=0)
    apart = np.diff(far, axis=0) > 1e-9 * np.abs(far).max()
    assert apart.sum() > 450
    assert (np.diff(near, axis=0)[apart] > 0).all()
    assert len(np.unique(expit(values))) == 2
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(X)


def test_the_response_can_be_chosen() -> None:
    small = tuned(response_method="decision_function").fit(X, Y)
    assert np.array_equal(small.decision_scale_, [1.0, 1.0, 1.0])
    assert np.array_equal(small.predict(X), (expit(small.decision_function(X)) >= small.thresholds_).astype(int))
    with pytest.raises(AttributeError, match="RandomForestClassifier has none of"):
        tuned(FOREST, response_method="decision_function").fit(X, Y)


def test_a_class_that_a_fold_never_saw_positive() -> None:
    rare = Y.copy()
    rare[:, 2] = 0
    rare[5, 2] = 1
    model = tuned(FOREST).fit(X, rare)
    assert model.predict(X).shape == rare.shape
    assert tuned(FOREST).fit(X, np.where([0, 0, 1], 1, rare)).predict(X)[:, 2].all()


def test_prefit_takes_the_estimator_as_it_is() -> None:
    fitted = clone(LOGISTIC).fit(X[:80], Y[:80])
    model = tuned(fitted, cv="prefit", refit=False).fit(X[80:], Y[80:])
    assert model.estimator_ is fitted
    assert model.fold_thresholds_.shape == (5, 3)
    assert model.cross_fitted_score_ < model.in_sample_score_
    with pytest.raises(ArrayError, match='with cv="prefit" the estimator is taken as it is: expected refit=False'):
        tuned(fitted, cv="prefit").fit(X, Y)
    with pytest.raises(NotFittedError):
        tuned(cv="prefit", refit=False).fit(X, Y)


def test_of_a_single_split_the_held_out_part_is_looked_at() -> None:
    model = tuned(cv=ShuffleSplit(1, test_size=0.5, random_state=0)).fit(X, Y)
    assert model.fold_thresholds_.shape == (5, 3)


def test_metrics_and_label_rules() -> None:
    model = tuned(metric="macro_fbeta", beta=3.0).fit(X, Y)
    assert (model.thresholds_ <= tuned().fit(X, Y).thresholds_).all()
    assert tuned(metric="sample_f1", thresholds="auto").fit(X, Y).predict(X).shape == Y.shape
    assert (tuned(at_least_one=True).fit(X, Y).predict(X).sum(axis=1) >= 1).all()
    alone = tuned(exclusive=0).fit(X, Y).predict(X)
    assert not (alone[:, 0].astype(bool) & alone[:, 1:].any(axis=1)).any()


def test_a_class_is_named_by_its_column() -> None:
    frame = pd.DataFrame(Y, columns=["healthy", "edema", "nodule"])
    features = pd.DataFrame(X, columns=list("abcdef"))
    named = tuned(exclusive="healthy").fit(features, frame)
    assert np.array_equal(named.predict(features), tuned(exclusive=0).fit(X, Y).predict(X))
    assert list(named.feature_names_in_) == list("abcdef")
    with pytest.raises(ArrayError, match=r"exclusive: expected one of \['healthy', 'edema', 'nodule'\], got 'cyst'"):
        tuned(exclusive="cyst").fit(features, frame)


def test_a_classifier_that_says_the_same_of_every_row() -> None:
    model = tuned(DummyClassifier(strategy="prior")).fit(X, Y)
    assert len(np.unique(model.predict(X), axis=0)) == 1


def test_scikit_learn_is_loaded_when_the_estimator_is_asked_for() -> None:
    code = (
        "import sys, ensemble.evaluation as e; before = 'sklearn' in sys.modules; e.MultilabelThresholdClassifierCV; "
        "print(before, 'sklearn' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
