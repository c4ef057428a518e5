"""A scorecard says the same of the same rows, and all its parts say it of the same decisions."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest

from ensemble.blending import source_of_arrays
from ensemble.evaluation import BlendWishes, Scorecard, score_blend
from ensemble.metric import Metric
from ensemble.metrics import class_f1

N, C, N_TEST = 90, 3, 40
RNG = np.random.default_rng(0)
LABELS = np.where(RNG.random((N, C)) < 0.05, np.nan, RNG.random((N, C)) < [0.3, 0.2, 0.1])
IDS = [f"image {number}" for number in RNG.permutation(1000)[:N]]
QUICK = BlendWishes(trials=0)


def said(labels: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(2 - 2 * np.nan_to_num(labels) - RNG.standard_normal(labels.shape)))


MEMBERS = {name: said(LABELS) for name in ("a", "b", "c")}
TEST = {name: said(np.zeros((N_TEST, C))) for name in MEMBERS}


@cache
def card_of(wishes: BlendWishes, names: str = "abc") -> Scorecard:
    members, test = ({name: tables[name] for name in names} for tables in (MEMBERS, TEST))
    return score_blend(source_of_arrays(LABELS, members, image_ids=IDS, test=test), wishes)


def numbers(card: Scorecard) -> list[object]:
    """All that must not depend on the order of the rows."""
    result = card.result
    return [card.thresholds.tolist(), asdict(result.scores), *(asdict(row) for row in result.classes)]


def test_the_order_of_the_rows_changes_nothing() -> None:
    order = RNG.permutation(N)
    members = {name: values[order] for name, values in MEMBERS.items()}
    ids = [IDS[row] for row in order]
    shuffled = score_blend(source_of_arrays(LABELS[order], members, image_ids=ids, test=TEST), QUICK)
    card = card_of(QUICK)
    assert numbers(shuffled) == numbers(card)
    assert [replace(rule, seconds=0.0) for rule in shuffled.result.rules] == [
        replace(rule, seconds=0.0) for rule in card.result.rules
    ]
    assert shuffled.tables["oof"].image_ids.tolist() == ids
    assert np.array_equal(shuffled.tables["oof"].values, card.tables["oof"].values[order])
    assert np.array_equal(shuffled.cross_fitted.decisions, card.cross_fitted.decisions[order])


def test_the_order_of_the_members_changes_nothing_but_rounding() -> None:
    turned = card_of(QUICK, "cba")
    assert np.allclose(turned.thresholds, card_of(QUICK).thresholds, rtol=1e-6)
    assert turned.result.scores.cross_fitted == pytest.approx(card_of(QUICK).result.scores.cross_fitted)


@pytest.mark.parametrize(
    "wishes",
    [
        replace(QUICK, combine="mean", at_least_one=True, exclusive="class_0"),
        replace(QUICK, combine="mean", metric=Metric("sample_f1")),
        replace(QUICK, combine="mean", match_test_rate=True, at_least_one=True),
    ],
    ids=["label rules", "by image", "own thresholds of test rows"],
)
def test_the_classes_figures_are_of_the_decisions_that_are_made(wishes: BlendWishes) -> None:
    card = card_of(wishes)
    sent = card.test_decisions()
    assert sent is not None
    assert [row.test_rate for row in card.result.classes] == sent.mean(axis=0).tolist()
    in_sample = card.chain.decider(card.tables["oof"].probabilities())
    assert [row.in_sample_f1 for row in card.result.classes] == class_f1(LABELS, in_sample).tolist()


def test_a_member_alone_is_judged_by_the_blends_label_rules() -> None:
    card = card_of(replace(QUICK, combine="mean", thresholds="exact", at_least_one=True), "a")
    (member,) = card.result.members
    assert member.scores.at_half == card.result.scores.at_half
    assert member.scores.in_sample == card.result.scores.in_sample
    assert member.scores.cross_fitted == card.result.scores.cross_fitted
