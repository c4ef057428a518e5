"""The rules that fit weights."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.blending import (
    COMBINATIONS,
    ClassWeights,
    CombinationRule,
    Convex,
    Greedy,
    MemberStack,
    OptunaWeights,
    WeightedMean,
    combination_rule,
    uniform_weights,
)
from ensemble.errors import DataError
from ensemble.metric import METRIC_NAMES, Metric

FITTING = [Convex(), Greedy(), OptunaWeights(trials=12), ClassWeights()]


def simulated(
    noises: list[float], *, n_rows: int = 400, n_classes: int = 2, seed: int = 0
) -> tuple[MemberStack, NDArray[np.float64]]:
    """Members that see the true logit with this noise; infinite noise: they see nothing of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1.0, 2.0, (n_rows, n_classes))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.float64)
    seen = [
        rng.normal(-1.0, 1.0, truth.shape) if np.isinf(noise) else truth + rng.normal(0, noise, truth.shape)
        for noise in noises
    ]
    return MemberStack(tuple(f"m{number}" for number in range(len(noises))), np.array(seen, np.float32)), labels


def fit(rule: CombinationRule, stack: MemberStack, labels: NDArray[np.float64]) -> WeightedMean:
    combination = rule.fit(stack, labels, None, np.random.default_rng(0))
    assert isinstance(combination, WeightedMean)
    return combination


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_weights_are_shares_and_the_better_member_has_the_largest(rule: CombinationRule) -> None:
    stack, labels = simulated([np.inf, 0.3, np.inf, np.inf])
    blend = fit(rule, stack, labels)
    assert blend.name == rule.name
    assert blend.weights.shape == (4,)
    assert (blend.weights >= 0).all()
    assert blend.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert blend.weights.argmax() == 1
    assert blend.weights[1] > 0.3


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_copies_of_one_member_blend_to_it(rule: CombinationRule) -> None:
    stack, labels = simulated([0.5])
    copies = MemberStack(("a", "b", "c"), stack.logits.repeat(3, axis=0))
    assert fit(rule, copies, labels)(copies) == pytest.approx(stack.logits[0], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_one_member_has_all_weight(rule: CombinationRule) -> None:
    stack, labels = simulated([0.5])
    assert fit(rule, stack, labels).weights.tolist() == [1.0]


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_the_order_of_rows_is_irrelevant(rule: CombinationRule) -> None:
    stack, labels = simulated([0.3, 1.0, np.inf])
    order = np.random.default_rng(3).permutation(len(labels))
    ours, theirs = fit(rule, stack, labels).weights, fit(rule, stack.rows(order), labels[order]).weights
    assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("rule", [Convex(), Greedy(), ClassWeights()], ids=lambda rule: rule.name)
def test_weights_follow_their_members(rule: CombinationRule) -> None:
    stack, labels = simulated([0.3, 0.8, 1.5, np.inf, np.inf, 0.5])
    order = [4, 2, 0, 5, 1, 3]
    turned = MemberStack(tuple(stack.names[one] for one in order), stack.logits[order])
    assert fit(rule, turned, labels).weights == pytest.approx(fit(rule, stack, labels).weights[order], abs=1e-4)


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_rows_that_are_not_labelled_do_not_matter(rule: CombinationRule) -> None:
    stack, labels = simulated([0.3, np.inf, 1.0])
    labels[300:, 0] = np.nan
    spoilt = MemberStack(stack.names, stack.logits.copy())
    spoilt.logits[:, 300:, 0] = 50.0
    assert np.array_equal(fit(rule, stack, labels).weights, fit(rule, spoilt, labels).weights)


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: rule.name)
def test_certain_members_and_empty_classes_do_not_break_it(rule: CombinationRule) -> None:
    stack, labels = simulated([0.3, 1.0, 1.0], n_classes=4)
    labels[:, 1], labels[:, 2], labels[:, 3] = 0.0, np.nan, 1.0
    certain = MemberStack(stack.names, np.where(stack.logits > 0, np.float32(88), np.float32(-88)))
    blend = fit(rule, certain, labels)
    assert np.isfinite(blend.weights).all()
    assert np.isfinite(blend(certain)).all()
    nothing = fit(rule, certain, np.full_like(labels, np.nan))
    assert nothing.weights.sum() == pytest.approx(1.0)


def test_convex_recovers_a_known_mixture() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.7, 1.5, (3, 60_000, 1))
    truth = np.array([0.6, 0.3, 0.1])
    labels = (rng.random((60_000, 1)) < np.tensordot(truth, p, 1)).astype(np.float64)
    stack = MemberStack(("a", "b", "c"), logit(p).astype(np.float32))
    assert fit(Convex(), stack, labels).weights == pytest.approx(truth, abs=0.03)


def test_convex_leaves_out_what_only_harms() -> None:
    stack, labels = simulated([0.3, np.inf, np.inf], n_rows=3000)
    assert fit(Convex(), stack, labels).weights == pytest.approx([1.0, 0.0, 0.0], abs=0.05)


def test_greedy_picks_the_better_member_and_is_shrunk_half_way() -> None:
    stack, labels = simulated([np.inf, 0.1])
    stack.logits[1] = 4 * labels - 2
    assert fit(Greedy(shrink=0.0), stack, labels).weights.tolist() == [0.0, 1.0]
    assert fit(Greedy(), stack, labels).weights.tolist() == [0.25, 0.75]
    assert fit(Greedy(shrink=1.0), stack, labels).weights.tolist() == [0.5, 0.5]


def test_greedy_takes_members_that_are_better_together() -> None:
    """Each sees one half of the rows; alone each misses half of the positives."""
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 1)) < 0.3).astype(np.float64)
    logits = np.full((3, 400, 1), -4.0, np.float32)
    logits[0, :200] += 6 * labels[:200].astype(np.float32)
    logits[1, 200:] += 6 * labels[200:].astype(np.float32)
    logits[2] = rng.normal(-2, 1, (400, 1))
    weights = fit(Greedy(shrink=0.0), MemberStack(("a", "b", "c"), logits), labels).weights
    assert weights.tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("name", METRIC_NAMES)
@pytest.mark.parametrize("rule", ["greedy", "optuna"])
def test_searches_serve_every_metric(rule: str, name: str) -> None:
    stack, labels = simulated([np.inf, 0.2, np.inf], n_classes=3)
    metric = Metric(name, beta=2.0 if name == "macro_fbeta" else 1.0)
    weights = fit(combination_rule(rule, metric=metric, trials=15), stack, labels).weights
    assert weights.argmax() == 1


def test_class_weights_differ_where_members_do_and_are_pulled_to_the_common_ones() -> None:
    stack, labels = simulated([0.2, 0.2], n_rows=2000)
    rng = np.random.default_rng(0)
    stack.logits[0, :, 1], stack.logits[1, :, 0] = rng.normal(-1, 1, (2, 2000))
    free, pulled = (fit(ClassWeights(pull), stack, labels) for pull in (0.0, 1e9))
    assert free.class_weights == pytest.approx(np.eye(2), abs=0.05)
    assert free.weights == pytest.approx(free.class_weights.mean(axis=1))
    common = fit(Convex(), stack, labels).weights
    assert pulled.class_weights == pytest.approx(np.stack([common, common], axis=1), abs=1e-4)


def test_class_weights_count_groups() -> None:
    stack, labels = simulated([0.2, np.inf])
    alone = ClassWeights().fit(stack, labels, None, np.random.default_rng(0))
    few = np.array(["a", "b"])[np.arange(400) % 2]
    grouped = ClassWeights().fit(stack, labels, few, np.random.default_rng(0))
    common = fit(Convex(), stack, labels).weights
    distance = [np.abs(one.class_weights - common[:, None]).max() for one in (alone, grouped)]
    assert distance[1] < distance[0] / 5


def test_the_optuna_study_is_kept_with_its_weights(tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    stack, labels = simulated([0.3, 1.0])
    journal = tmp_path / "weights.journal"
    fit(OptunaWeights(trials=5, journal=journal), stack, labels)
    study = optuna.load_study(study_name="weights", storage=JournalStorage(JournalFileBackend(str(journal))))
    assert study.trials[0].user_attrs["weights"] == pytest.approx({"m0": 0.5, "m1": 0.5})
    assert all(sum(trial.user_attrs["weights"].values()) == pytest.approx(1) for trial in study.trials)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_rules_are_found_by_name(name: str) -> None:
    rule = combination_rule(name, metric=Metric(), trials=3)
    stack, labels = simulated([0.3, 1.0])
    combination = rule.fit(stack, labels, None, np.random.default_rng(0))
    assert (rule.name, combination.name) == (name, name)
    assert combination.weights.sum() == pytest.approx(1.0)
    assert combination.class_weights is None or combination.class_weights.shape == (2, 2)
    blend = combination(stack)
    assert (blend.dtype, blend.shape) == (np.float32, (400, 2))
    assert np.array_equal(blend[7:9], combination(stack.rows(np.array([7, 8]))))


def test_another_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected one of mean, mean_logits, .*, got 'median'"):
        combination_rule("median", metric=Metric())


def test_weights_are_uniform_where_there_is_nothing_to_learn_from() -> None:
    stack, labels = simulated([0.3, 1.0])
    nothing = np.full_like(labels, np.nan)
    assert fit(Convex(), stack, nothing).weights.tolist() == uniform_weights(2).tolist()
