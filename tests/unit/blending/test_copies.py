"""Copies: exact ones, rescaled ones, and what only looks like one."""

from __future__ import annotations

import numpy as np

from ensemble.blending import Copy, find_copies
from ensemble.predictions import PredictionTable

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(-2, 2, (600, 2)).astype(np.float32)
IDS = np.array([f"i{number}" for number in range(600)])


def table(values, scale="logits"):
    return PredictionTable(IDS, ("a", "b"), np.asarray(values, dtype=np.float32), scale)


def test_exact_copies_whole_and_in_some_classes():
    half = LOGITS.copy()
    half[:, 1] = RNG.normal(size=600)
    found = find_copies({"one": table(LOGITS), "two": table(LOGITS), "three": table(half)})
    assert found == [
        Copy("one", "two", ("a", "b"), whole=True),
        Copy("one", "three", ("a",), whole=False),
        Copy("two", "three", ("a",), whole=False),
    ]


def test_copies_up_to_a_rising_map():
    cooled = table(LOGITS / np.float32(1.7) - np.float32(0.3))
    probabilities = table(1 / (1 + np.exp(-LOGITS)), "probabilities")
    rounded = table(np.round(LOGITS, 2))
    for other in (cooled, probabilities, rounded):
        (copy,) = find_copies({"one": table(LOGITS), "two": other})
        assert (copy.class_names, copy.whole, copy.rescaled) == (("a", "b"), True, True)
    ranks = LOGITS.argsort(axis=0).argsort(axis=0) / 600
    ranks[:, 1] = RNG.random(600)
    assert find_copies({"one": table(LOGITS), "two": table(ranks)}) == [
        Copy("one", "two", ("a",), False, rescaled=True)
    ]


def test_one_swapped_pair_is_no_copy():
    other = LOGITS / 2
    low, high = LOGITS[:, 0].argmin(), LOGITS[:, 0].argmax()
    other[[low, high]] = other[[high, low]]
    assert find_copies({"one": table(LOGITS), "two": table(other)}) == []


def test_few_values_are_no_copy():
    """Hard decisions of another member, or a constant, order nothing wrongly and say something else."""
    decided, constant = table(LOGITS > -2), table(np.zeros((600, 2)))
    assert find_copies({"one": table(LOGITS), "two": decided, "three": constant}) == []


def test_a_member_alone_has_no_copies():
    assert find_copies({"one": table(LOGITS)}) == []
