"""``auto`` chooses inside the rows that it is given, and keeps the mean when in doubt."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending import Convex, Mean, MeanLogits, MemberStack
from ensemble.evaluation import (
    AUTO,
    AutoChain,
    Chain,
    ChainRule,
    ChosenChain,
    CrossFit,
    FittedChain,
    LabelledRows,
    cross_fit_chain,
)
from ensemble.evaluation.gain import PairedGain
from ensemble.metric import Metric
from ensemble.thresholds import ExactThresholds, FixedThreshold


def simulated(
    noises: list[float], *, n_rows: int = 300, n_folds: int = 4, seed: int = 0, groups: int | None = None
) -> tuple[MemberStack, LabelledRows]:
    """Members that see the true logit with this noise; infinite noise: they see nothing of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1.0, 2.0, (n_rows, 2))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.float64)
    seen = [
        rng.normal(-1.0, 1.0, truth.shape) if np.isinf(noise) else truth + rng.normal(0, noise, truth.shape)
        for noise in noises
    ]
    names = tuple(f"m{number}" for number in range(len(noises)))
    group = None if groups is None else np.array([f"g{number % groups}" for number in range(n_rows)])
    folds = np.arange(n_rows) % (groups or n_rows) % n_folds
    return MemberStack(names, np.array(seen, np.float32)), LabelledRows(labels, folds.astype(np.int16), group)


def auto(**changes: object) -> AutoChain:
    return AutoChain(ExactThresholds(), **changes)  # type: ignore[arg-type]


def chosen(chain: ChosenChain) -> str:
    (name,) = [one.name for one in chain.tried if one.chosen]
    assert name == chain.combination.name
    return name


JUNK = simulated([np.inf] * 5 + [0.3], n_rows=300)


def test_the_mean_is_kept_when_members_are_alike() -> None:
    fitted = [auto().fit(*simulated([0.5] * 4, seed=seed), 0) for seed in range(16)]
    assert [one.name for one in fitted[0].tried] == list(AUTO)
    # Each of three others exceeds its standard error by chance in one table of six or so.
    assert [chosen(one) for one in fitted].count("mean") >= 7
    stack, rows = simulated([0.5])
    copies = auto().fit(MemberStack(("a", "b", "c"), stack.logits.repeat(3, axis=0)), rows, 0)
    assert chosen(copies) == "mean"
    assert [one.gain for one in copies.tried] == pytest.approx([0.0] * 4, abs=0.01)


def test_weights_are_chosen_when_most_members_are_junk() -> None:
    fitted = auto().fit(*simulated([np.inf] * 10 + [0.3, 0.4], n_rows=600), 0)
    assert chosen(fitted) in {"convex", "greedy"}
    assert fitted.combination.weights[-2:].sum() > 0.4
    mean, best = fitted.tried[0], next(one for one in fitted.tried if one.chosen)
    assert best.gain == pytest.approx(best.cross_fitted - mean.cross_fitted)
    assert best.gain > best.standard_error > 0
    assert (mean.gain, mean.standard_error) == (0.0, 0.0)
    assert all(one.seconds > 0 for one in fitted.tried)
    assert best.title.startswith(("convex weights", "greedy selection"))


def test_what_is_compared_is_the_cross_fitted_score_of_each_chain() -> None:
    stack, rows = JUNK
    order = np.argsort(rows.folds, kind="stable")  # so that chance falls on the same rows
    stack, rows = stack.rows(order), rows.subset(order)
    tried = auto(combine=(Mean(), Convex())).fit(stack, rows, 0).tried
    for rule, one in zip((Mean(), Convex()), tried, strict=True):
        decisions = cross_fit_chain(Chain(rule, ExactThresholds()), stack, rows=rows).decisions
        assert one.cross_fitted == pytest.approx(Metric().score(rows.labels, decisions), abs=0.01)
        if rule.name == "mean":
            assert one.cross_fitted == Metric().score(rows.labels, decisions)


def test_the_chosen_chain_is_fitted_on_all_rows() -> None:
    stack, rows = simulated([0.5, np.inf])
    fitted = auto(combine=(Mean(), MeanLogits())).fit(stack, rows, 0)
    assert chosen(fitted) == "mean"
    direct = Chain(Mean(), ExactThresholds()).fit(stack, rows, 0)
    assert np.array_equal(fitted.thresholds, direct.thresholds)
    assert np.array_equal(fitted.decisions(stack), direct.decisions(stack))


def nested(chain: ChainRule, stack: MemberStack, rows: LabelledRows) -> CrossFit:
    return cross_fit_chain(chain, stack, rows=rows)


class _Forgetful:
    """A new AutoChain for every fit."""

    def __init__(self) -> None:
        self.fitted: list[FittedChain] = []

    def fit(self, stack: MemberStack, rows: LabelledRows, seed: int) -> FittedChain:
        self.fitted.append(auto().fit(stack, rows, seed))
        return self.fitted[-1]


def test_what_was_fitted_is_remembered_and_changes_nothing() -> None:
    stack, rows = JUNK
    remembering = auto()
    whole = remembering.fit(stack, rows, 0)
    ours, theirs = nested(remembering, stack, rows), nested(_Forgetful(), stack, rows)
    assert np.array_equal(ours.decisions, theirs.decisions)
    assert np.array_equal(ours.thresholds, theirs.thresholds)
    again = auto().fit(stack, rows, 5)
    assert np.array_equal(again.thresholds, whole.thresholds)
    assert np.array_equal(again.combination.weights, whole.combination.weights)
    assert len(remembering._fits) == 4 * (4 + 6) + 1  # without one fold, without two, and the chosen one on all
    assert not replace(remembering, seed=1)._fits


def test_the_choice_for_a_fold_has_not_seen_its_labels() -> None:
    stack, rows = JUNK
    held_out = rows.folds == 2
    turned = np.where(held_out[:, None], 1.0 - rows.labels, rows.labels)
    first, second = _Forgetful(), _Forgetful()
    ours = nested(first, stack, rows)
    theirs = nested(second, stack, LabelledRows(turned, rows.folds))
    assert np.array_equal(ours.thresholds[2], theirs.thresholds[2])
    assert np.array_equal(ours.decisions[held_out], theirs.decisions[held_out])
    assert np.array_equal(first.fitted[2].combination.weights, second.fitted[2].combination.weights)
    assert not np.array_equal(ours.thresholds[0], theirs.thresholds[0])


def test_one_member_or_one_rule_is_not_compared() -> None:
    stack, rows = simulated([0.5])
    fitted = auto().fit(stack, rows, 0)
    assert (fitted.combination.name, fitted.tried) == ("mean", ())
    pair, rows = simulated([0.5, 0.5])
    fitted = auto(combine=(Convex(),)).fit(pair, rows, 0)
    assert (fitted.combination.name, fitted.tried) == ("convex", ())


def test_two_folds_leave_one_to_choose_on_which_is_divided_anew() -> None:
    stack, rows = simulated([np.inf] * 6 + [0.2], n_folds=2, groups=60)
    one = rows.folds == 0
    fitted = auto().fit(stack.rows(one), rows.subset(one), 0)
    assert len(fitted.tried) == len(AUTO)
    assert nested(auto(), stack, rows).decisions.shape == rows.labels.shape


def test_rows_of_one_group_cannot_be_divided() -> None:
    stack, rows = simulated([0.5, 0.5], n_folds=1, groups=1)
    assert auto().fit(stack, rows, 0).tried == ()


def test_a_judge_stands_in_for_costly_thresholds_inside_the_comparison() -> None:
    stack, rows = JUNK
    fitted = AutoChain(FixedThreshold(0.25), judge=ExactThresholds()).fit(stack, rows, 0)
    assert fitted.thresholds.tolist() == [0.25, 0.25]
    assert [one.cross_fitted for one in fitted.tried] == [one.cross_fitted for one in auto().fit(stack, rows, 0).tried]


def test_labels_that_are_missing_are_masked() -> None:
    stack, rows = JUNK
    labels = rows.labels.copy()
    labels[::3, 0] = np.nan
    fitted = auto().fit(stack, LabelledRows(labels, rows.folds), 0)
    assert chosen(fitted) != "mean"
    nothing = auto().fit(stack, LabelledRows(np.full_like(labels, np.nan), rows.folds), 0)
    assert chosen(nothing) == "mean"


@pytest.mark.parametrize("name", ["micro_f1", "sample_f1", "subset_accuracy"])
def test_it_compares_by_the_metric(name: str) -> None:
    stack, rows = JUNK
    fitted = auto(metric=Metric(name)).fit(stack, rows, 0)
    decisions = cross_fit_chain(Chain(Mean(), ExactThresholds()), stack, rows=rows).decisions
    assert fitted.tried[0].cross_fitted == pytest.approx(Metric(name).score(rows.labels, decisions))


def decided(n_rows: int, *, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n_rows, 1)) < 0.5).astype(np.float64)
    one, two = ((rng.random(labels.shape) < 0.2) != (labels == 1) for _ in range(2))
    return labels, one, two


@pytest.mark.parametrize("n_rows", [400, 6000])
def test_the_standard_error_of_a_gain_is_that_of_the_difference(n_rows: int) -> None:
    """For subset accuracy of one class it is known: the deviation of the rows' differences over sqrt(N)."""
    labels, one, two = decided(n_rows)
    rows = LabelledRows(labels, np.zeros(n_rows, np.int16))
    compared = PairedGain(Metric("subset_accuracy"), rows, np.random.default_rng(0), resamples=2000)
    gain, error = compared.gain(compared.totals(one), compared.totals(two))
    difference = (one == labels)[:, 0].astype(float) - (two == labels)[:, 0]
    assert gain == pytest.approx(difference.mean(), abs=1e-12)
    assert error == pytest.approx(difference.std() / np.sqrt(n_rows), rel=0.1)
    assert compared.gain(compared.totals(one), compared.totals(one)) == (0.0, 0.0)


def test_rows_that_belong_together_are_drawn_together() -> None:
    labels, one, two = (np.repeat(array, 9, axis=0) for array in decided(400))
    names = np.repeat(np.arange(400).astype(str), 9)
    folds = np.zeros(3600, np.int16)
    errors = []
    for groups in (names, None):
        compared = PairedGain(Metric(), LabelledRows(labels, folds, groups), np.random.default_rng(0), resamples=1000)
        errors.append(compared.gain(compared.totals(one), compared.totals(two))[1])
    assert errors[0] == pytest.approx(3 * errors[1], rel=0.15)
