"""Thresholds of any multi-label scikit-learn classifier, chosen by cross-validation: see docs/sklearn.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ensemble.arrays import ArrayError, as_array_errors
from ensemble.evaluation.held_out import Given, HeldOut, at_least_two_folds, parts_of, respond, splitter_of
from ensemble.evaluation.responses import METHODS, Reader, choose_method, fit_scale
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.targets import Targets, as_given, checked_groups, class_number, read_targets
from ensemble.evaluation.tuning import tune
from ensemble.metric import Metric
from ensemble.thresholds import DecisionRule, LabelRules, decision_rule

_PREFIT = "prefit"


def _has(name: str) -> Any:
    """For ``available_if``: whether the wrapped classifier has it; an AttributeError says whose it lacks."""
    return lambda wrapper: getattr(getattr(wrapper, "estimator_", wrapper.estimator), name) is not None


class MultilabelThresholdClassifierCV(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose thresholds are chosen on rows that its models have not seen.

    What ``sklearn.model_selection.TunedThresholdClassifierCV`` does for a binary classifier, for any multi-label one:
    clones are fitted on K - 1 folds each, one threshold a class is chosen on the held-out responses of all rows, and
    the classifier is fitted on all rows. The score is cross-fitted: each fold is decided by thresholds chosen on the
    others.

    Traps:

    - ``in_sample_score_`` is the best of many and flatters; report ``cross_fitted_score_`` and its interval.
    - Rows that belong together (a patient's images) must not be divided: give ``groups``. A ``cv`` that divides them
      nevertheless is refused.
    - ``cv="prefit"`` needs rows that ``estimator`` was *not* fitted on. On others the thresholds are overfitted, and so
      is the score that says that they are good.
    - What is fitted outside (a scaler, a selection of features, a resampling) has seen the held-out rows: put it into
      ``estimator``, as a ``Pipeline``.
    - Thresholds are of classifiers fitted on K - 1 of K folds, and are used with one fitted on all rows. Where rows
      are few its probabilities may be a little more extreme; more folds lessen that.
    - ``score`` is scikit-learn's accuracy, for several classes subset accuracy, whatever ``metric`` is.

    Args:
        estimator: A classifier with ``predict_proba`` (an array, or a list of arrays as of ``RandomForestClassifier``
            and ``MultiOutputClassifier``) or ``decision_function``.
        metric: One of ``ensemble.metric.METRIC_NAMES``.
        beta: Of ``macro_fbeta``.
        thresholds: One of ``ensemble.thresholds.THRESHOLD_RULES``.
        cv: Number of folds (None: 5), stratified by all labels, no group divided; or a splitter, or pairs of row
            numbers. Of a single split the held-out part alone is looked at. ``"prefit"``: ``estimator`` is fitted.
        at_least_one: Every row gets a label.
        exclusive: The class that never comes with another, by number, or by name where ``y`` is a data frame.
        response_method: ``"predict_proba"``, ``"decision_function"``, or the first of them that there is: ``"auto"``.
            Decision values become numbers in [0, 1] by a fixed rising map.
        refit: False only with ``"prefit"``.
        n_jobs: Folds fitted at once, as everywhere in scikit-learn.
        random_state: Of folds and thresholds; ``estimator`` has its own.

    Attributes:
        estimator_: The classifier that predicts.
        thresholds_: Shape (C,), of its probabilities (of ``expit(value / decision_scale_)``); positive iff >=. Where
            ``sample_f1`` with ``auto`` decides row by row, they are for orientation.
        fold_thresholds_: Shape (K, C): those that decided each held-out fold.
        decision_scale_: Shape (C,), divisors of decision values; None where the response is probabilities.
        cross_fitted_score_: The metric of decisions that were not made by thresholds which had seen their row.
        cross_fitted_interval_: Its 95 % interval, by group: low, high.
        in_sample_score_: The metric on the rows that chose the thresholds; optimistic.
        classes_: As of ``estimator_``.
        n_features_in_: Of ``estimator_``, if it has it; likewise ``feature_names_in_``.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012 - scikit-learn's form: groups are looked at here, always

    def __init__(  # noqa: PLR0913 - scikit-learn's form
        self,
        estimator: Any,
        *,
        metric: str = "macro_f1",
        beta: float = 1.0,
        thresholds: str = "auto",
        cv: Any = 5,
        at_least_one: bool = False,
        exclusive: int | str | None = None,
        response_method: str = "auto",
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.beta = beta
        self.thresholds = thresholds
        self.cv = cv
        self.at_least_one = at_least_one
        self.exclusive = exclusive
        self.response_method = response_method
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, groups: Any = None, **fit_params: Any) -> Self:
        """Choose thresholds and fit the classifier.

        Args:
            X: N rows, as ``estimator`` takes them.
            y: Shape (N,) with two labels of any type, or (N, C) of 0 and 1.
            groups: Shape (N,), what belongs together; None: every row is independent.
            fit_params: For ``estimator.fit``; what has N entries is divided with the rows. With metadata routing on, it
                and the splitter are given what they request.

        Raises:
            ArrayError: A parameter, ``y`` or the classifier's answers are not usable. It is a ``ValueError``.
            NotFittedError: ``cv="prefit"``, but ``estimator`` is not fitted.
        """
        with as_array_errors():
            metric, seed = self._metric(), self._seed()
            targets = read_targets(y)
            X, given, groups = indexable(X, targets.given, groups)
            targets, groups = replace(targets, given=given), checked_groups(groups)
            rule = self._rule(metric, targets)
            self._classes, n_classes = targets.classes, targets.labels.shape[1]
            self._read = Reader(self.response_method, n_classes, targets.positive, targets.classes is not None)
            held_out = self._respond(X, targets, groups, fit_params=fit_params, seed=seed)
            rows, values = _labelled_rows(held_out, targets, groups, seed=seed), held_out.values
            self._scale = fit_scale(values, choose_method(self.estimator_, self.response_method))
            tuned = tune(rule, self._scale(values), rows=rows, metric=metric, seed=seed)
        self._decider, self.decision_scale_ = tuned.decider, self._scale.divisors
        self.thresholds_, self.fold_thresholds_ = tuned.decider.thresholds, tuned.cross_fitted.thresholds
        self.cross_fitted_score_, self.in_sample_score_ = tuned.interval.point, tuned.in_sample
        self.cross_fitted_interval_ = (tuned.interval.low, tuned.interval.high)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Decisions, in the form of ``y``: its labels, shape (N,), or 0 and 1, shape (N, C)."""
        check_is_fitted(self, "thresholds_")
        with as_array_errors():
            return as_given(self._decider(self._scale(self._read(self.estimator_, X))), self._classes)

    @property
    def classes_(self) -> Any:
        """As of ``estimator_``, in the order of its answers."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """As of ``estimator_``."""
        return int(self.estimator_.n_features_in_)

    @property
    def feature_names_in_(self) -> Any:
        """As of ``estimator_``."""
        return self.estimator_.feature_names_in_

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """As of ``estimator_``."""
        check_is_fitted(self, "thresholds_")
        return self.estimator_.predict_proba(X)

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """As of ``estimator_``: its zero is not the chosen threshold."""
        check_is_fitted(self, "thresholds_")
        return self.estimator_.decision_function(X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Where scikit-learn sends what ``fit`` is given: to ``estimator``, to the splitter, and here (``groups``)."""
        fit, split = MethodMapping().add(caller="fit", callee="fit"), MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self).add(estimator=self.estimator, method_mapping=fit)
        if hasattr(self.cv, "split") and not isinstance(self.cv, str):
            router.add(splitter=self.cv, method_mapping=split)
        return router

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        own = get_tags(self.estimator)
        tags.classifier_tags.multi_label = tags.target_tags.multi_output = own.target_tags.multi_output
        tags.input_tags.sparse, tags.input_tags.allow_nan = own.input_tags.sparse, own.input_tags.allow_nan
        return tags

    def _metric(self) -> Metric:
        """The metric, once every parameter that is not looked at elsewhere is known to be usable."""
        if self.response_method not in ("auto", *METHODS):
            expected = ", ".join(("auto", *METHODS))
            raise ArrayError(f"response_method: expected one of {expected}, got {self.response_method!r}")
        if self.cv == _PREFIT and self.refit:
            raise ArrayError('refit: with cv="prefit" the estimator is taken as it is: expected refit=False')
        if self.cv != _PREFIT and not self.refit:
            raise ArrayError(
                'refit: expected True, as no single model of the folds could predict; False goes with "prefit"'
            )
        return Metric(self.metric, self.beta)

    def _seed(self) -> int:
        given = self.random_state
        return int(given if isinstance(given, Integral) else check_random_state(given).randint(2**31 - 1))

    def _rule(self, metric: Metric, targets: Targets) -> DecisionRule:
        n_classes = targets.labels.shape[1]
        exclusive = class_number(self.exclusive, n_classes, targets.names)
        if n_classes == 1 and (self.at_least_one or exclusive is not None):
            raise ArrayError("at_least_one and exclusive are about several classes, got one")
        return decision_rule(self.thresholds, metric=metric, label_rules=LabelRules(self.at_least_one, exclusive))

    def _respond(
        self, X: Any, targets: Targets, groups: NDArray[Any] | None, *, fit_params: Mapping[str, Any], seed: int
    ) -> HeldOut:
        """Responses of models to rows that they have not seen; and fit ``estimator_``."""
        n_rows = len(targets.labels)
        if self.cv == _PREFIT:
            check_is_fitted(self.estimator)
            self.estimator_ = self.estimator
            return HeldOut(np.arange(n_rows), np.zeros(n_rows, dtype=np.int16), self._read(self.estimator, X))
        own, to_splitter = self._routed(groups, fit_params)
        given = Given(X, targets, own)
        parts = parts_of(splitter_of(self.cv, n_rows=n_rows, seed=seed), given, to_splitter, groups)
        held_out = respond(self.estimator, given, parts=parts, read=self._read, n_jobs=self.n_jobs)
        self.estimator_ = given.fit(self.estimator)
        return held_out

    def _routed(
        self, groups: NDArray[Any] | None, fit_params: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What goes to ``estimator.fit``, and what to the splitter."""
        given = {} if groups is None else {"groups": groups}
        if not get_config()["enable_metadata_routing"]:
            return dict(fit_params), given
        routed = process_routing(self, "fit", **given, **fit_params)
        splits_itself = hasattr(self.cv, "split")
        return dict(routed["estimator"]["fit"]), dict(routed["splitter"]["split"]) if splits_itself else given


def _labelled_rows(held_out: HeldOut, targets: Targets, groups: NDArray[Any] | None, *, seed: int) -> LabelledRows:
    labels, own = targets.labels[held_out.index], None if groups is None else groups[held_out.index]
    return LabelledRows(labels, at_least_two_folds(held_out.folds, labels, own, seed=seed), own)
