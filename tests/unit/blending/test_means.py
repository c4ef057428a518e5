"""The rules that fit no weights: their values, and that they are fixed maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.blending import (
    Mean,
    MeanLogits,
    MeanRanks,
    MemberStack,
    WeightedMean,
    mean_of_probabilities,
    uniform_weights,
)
from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(-1.0, 3.0, (3, 40, 2)).astype(np.float32)
LABELS = (RNG.random((40, 2)) < 0.4).astype(np.float64)


def stack(logits: NDArray[np.float32]) -> MemberStack:
    return MemberStack(tuple(f"m{number}" for number in range(len(logits))), logits)


def fitted(rule: Mean | MeanLogits | MeanRanks, logits: NDArray[np.float32], labels: NDArray[np.float64] = LABELS):
    return rule.fit(stack(logits), labels, None, np.random.default_rng(0))


def test_the_mean_is_that_of_the_stored_tables_bit_for_bit() -> None:
    logits = RNG.normal(0.0, 30.0, (4, 5000, 3)).astype(np.float32)
    logits[0, :7] = [88.0, -88.0, 720.0]
    tables = [PredictionTable(np.arange(5000).astype(str), ("a", "b", "c"), member) for member in logits]
    expected = mean_of_probabilities(tables, uniform_weights(4)).values
    blended = fitted(Mean(), logits, np.zeros((5000, 3)))(stack(logits))
    assert blended.dtype == np.float32
    assert np.array_equal(blended, expected)


def test_the_mean_of_probabilities_has_these_values() -> None:
    blend = fitted(Mean(), LOGITS)(stack(LOGITS))
    assert expit(blend.astype(np.float64)) == pytest.approx(expit(LOGITS.astype(np.float64)).mean(axis=0), rel=1e-6)


def test_the_mean_of_logits_has_these_values() -> None:
    logits = np.array([[[1.0, -4.0]], [[2.0, 8.0]]], np.float32)
    assert fitted(MeanLogits(), logits, np.zeros((1, 2)))(stack(logits)).tolist() == [[1.5, 2.0]]


def test_ranks_are_middle_places_among_the_fitting_rows() -> None:
    logits = np.array([[[1.0], [3.0], [3.0], [7.0]]], np.float32)
    ranks = fitted(MeanRanks(), logits, np.zeros((4, 1)))
    assert expit(ranks(stack(logits)))[:, 0] == pytest.approx([0.125, 0.5, 0.5, 0.875], rel=1e-6)
    new = np.array([[[-9.0], [2.0], [5.0], [99.0]]], np.float32)
    assert expit(ranks(stack(new)))[:, 0] == pytest.approx([0.125, 0.3125, 0.6875, 0.875], rel=1e-6)


def test_ranks_do_not_know_a_members_scale() -> None:
    stretched = LOGITS * np.array([1.0, 5.0, 0.1], np.float32)[:, None, None] + np.float32(2.0)
    ours, theirs = (fitted(MeanRanks(), one)(stack(one)) for one in (LOGITS, stretched))
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_ranks_count_labelled_rows_only_and_a_class_without_any_is_level() -> None:
    labels = LABELS.copy()
    labels[10:, 0], labels[:, 1] = np.nan, np.nan
    blend = fitted(MeanRanks(), LOGITS, labels)(stack(LOGITS))
    assert blend[:, 0] == pytest.approx(fitted(MeanRanks(), LOGITS[:, :10], LABELS[:10])(stack(LOGITS))[:, 0])
    assert blend[:, 1].tolist() == [0.0] * 40


@pytest.mark.parametrize("rule", [Mean(), MeanLogits(), MeanRanks()], ids=lambda rule: rule.name)
def test_what_is_said_of_a_row_does_not_depend_on_the_other_rows(rule: Mean | MeanLogits | MeanRanks) -> None:
    combination = fitted(rule, LOGITS)
    many = np.concatenate([LOGITS, RNG.normal(0.0, 9.0, (3, 3000, 2)).astype(np.float32)], axis=1)
    whole = combination(stack(many))
    assert np.array_equal(whole[:40], combination(stack(LOGITS)))
    assert np.array_equal(whole[2500:2501], combination(stack(many[:, 2500:2501])))
    assert combination(stack(LOGITS[:, :0])).shape == (0, 2)


@pytest.mark.parametrize("rule", [Mean(), MeanLogits(), MeanRanks()], ids=lambda rule: rule.name)
def test_the_order_of_members_and_of_rows_is_irrelevant(rule: Mean | MeanLogits | MeanRanks) -> None:
    blend = fitted(rule, LOGITS)(stack(LOGITS))
    turned = LOGITS[[2, 0, 1]]
    assert fitted(rule, turned)(stack(turned)) == pytest.approx(blend, rel=1e-6, abs=1e-6)
    assert np.array_equal(fitted(rule, LOGITS[:, ::-1], LABELS[::-1])(stack(LOGITS)), blend)


@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=4, max_size=4), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_copies_blend_to_the_member_however_sure_it_is(values: list[float], copies: int) -> None:
    logits = np.array(values, np.float32).reshape(1, 2, 2).repeat(copies, axis=0)
    for rule in (Mean(), MeanLogits()):
        blend = fitted(rule, logits, np.zeros((2, 2)))(stack(logits))
        assert blend == pytest.approx(logits[0], rel=1e-6, abs=1e-12)


def test_certain_members_that_disagree_meet_in_the_middle() -> None:
    logits = np.array([[[88.0, 88.0]], [[-88.0, 88.0]]], np.float32)
    assert fitted(Mean(), logits, np.zeros((1, 2)))(stack(logits)) == pytest.approx(np.array([[0.0, 88.0]]))
    assert fitted(MeanLogits(), logits, np.zeros((1, 2)))(stack(logits)).tolist() == [[0.0, 88.0]]


def test_weights_may_differ_by_class() -> None:
    weights = np.array([[0.2, 1.0], [0.8, 0.0], [0.0, 0.0]])
    blend = WeightedMean("mine", weights.mean(axis=1), weights)(stack(LOGITS))
    p = expit(LOGITS.astype(np.float64))
    expected = np.stack([0.2 * p[0, :, 0] + 0.8 * p[1, :, 0], p[0, :, 1]], axis=1)
    assert blend == pytest.approx(logit(expected), rel=1e-5)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [float("nan"), 1.0], []])
def test_other_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(AlignmentError, match=r"sum to 1|one weight each"):
        WeightedMean("mine", np.array(weights))


@pytest.mark.parametrize("rule", [Mean(), MeanLogits(), MeanRanks()], ids=lambda rule: rule.name)
def test_another_number_of_members_is_refused(rule: Mean | MeanLogits | MeanRanks) -> None:
    with pytest.raises(AlignmentError, match=rf"the {rule.name} blend was fitted on 3 members, got 2"):
        fitted(rule, LOGITS)(stack(LOGITS[:2]))
