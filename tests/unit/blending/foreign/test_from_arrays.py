"""Arrays in memory are checked as files are."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.blending import source_of_arrays
from ensemble.errors import FoldError
from ensemble.evaluation import BlendWishes, score_blend

RNG = np.random.default_rng(0)
LABELS = (RNG.random((60, 2)) < 0.4).astype(float)
SAID = np.clip(0.5 * LABELS + 0.25 + 0.1 * RNG.standard_normal((60, 2)), 0.01, 0.99)
MEMBERS = {"one": SAID, "two": SAID[::-1].copy()}


def test_arrays_become_rows_and_members():
    groups = np.arange(60) // 3
    source = source_of_arrays(LABELS, MEMBERS, groups=groups, test={"two": SAID[:5], "one": SAID[5:10]})
    assert source.class_names == ("class_0", "class_1")
    assert source.groups is not None
    assert source.groups.tolist() == [str(group) for group in groups]
    assert len({*zip(groups.tolist(), source.folds.tolist(), strict=True)}) == 20
    one = source.members[0].tables
    np.testing.assert_allclose(one["oof"].probabilities(), SAID, rtol=1e-6)
    np.testing.assert_allclose(one["test"].probabilities(), SAID[5:10], rtol=1e-6)
    assert source.n_folds == 5


def test_a_blend_of_arrays_is_scored_without_a_file():
    logits = {name: np.log(values / (1 - values)) for name, values in MEMBERS.items()}
    names, folds = ["left", "right"], np.arange(60) % 4 * 10
    source = source_of_arrays(LABELS, logits, scale="logits", class_names=names, folds=folds, test=logits)
    assert source.folds.tolist() == (np.arange(60) % 4).tolist()
    card = score_blend(source, BlendWishes(trials=0))
    same = score_blend(
        source_of_arrays(LABELS, MEMBERS, class_names=names, folds=folds, test=MEMBERS), BlendWishes(trials=0)
    )
    assert card.result.scores == same.result.scores
    assert 0.5 < card.result.scores.cross_fitted <= card.result.scores.in_sample <= 1
    decisions = card.test_decisions()
    assert decisions is not None
    assert decisions.shape == (60, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": {}}, "members: expected at least one member, got none"),
        (
            {"members": {"one": SAID[:5]}},
            r"members\['one'\]: expected numbers of shape \(60, 2\) .*got float64 of shape",
        ),
        ({"members": {"one": SAID * 2}}, r"members\['one'\]: expected probabilities, but .*Say scale='logits'"),
        ({"members": {"one": np.where(SAID > 0.9, np.nan, SAID)}}, "expected a number in every field"),
        ({"members": {"one": LABELS}}, r"members\['one'\]: columns equal the label column.*'class_0', 'class_1'"),
        ({"labels": LABELS + 1}, "labels: expected 0, 1 or NaN"),
        ({"labels": LABELS[:0], "members": {}}, "labels: expected at least one row"),
        ({"scale": "percent"}, "scale: expected one of 'probabilities', 'logits', got 'percent'"),
        ({"class_names": ["a"]}, "class_names: expected 2 different names"),
        ({"class_names": ["a", "fold"]}, "a class cannot be called 'fold'"),
        ({"groups": np.zeros(3)}, r"groups: expected shape \(60,\), one a row, got \(3,\)"),
        ({"groups": np.full(60, np.nan)}, "groups: expected one a row, got NaN for 60 rows"),
        ({"folds": np.zeros(60)}, r"folds: expected whole numbers of shape \(60,\), one a row, got float64"),
        ({"folds": np.zeros(60, int)}, "folds: expected at least 2 folds, got 1"),
        ({"folds": np.arange(60) % 2, "groups": np.arange(60) // 2}, "folds: 30 groups in more than one: '0', '1'"),
        ({"test": {"one": SAID}}, "test: expected the members 'one', 'two', got 'one'"),
        ({"test": {"one": SAID, "two": SAID[:3]}}, r"test\['two'\]: expected numbers of shape \(60, 2\)"),
        ({"image_ids": ["a"]}, "image_ids: expected 60, one a row of labels, got 1"),
        ({"image_ids": ["a"] * 60}, "image_ids: 1 id more than once: 'a'"),
    ],
)
def test_what_is_wrong_is_refused(changes, message):
    given = {"labels": LABELS, "members": MEMBERS, **changes}
    with pytest.raises(ArrayError, match=message):
        source_of_arrays(given.pop("labels"), given.pop("members"), **given)


def test_all_problems_come_together():
    with pytest.raises(ArrayError) as caught:
        source_of_arrays(LABELS, {"one": SAID * 2, "two": SAID[:1]}, folds=np.zeros(60, int), groups=["p"])
    assert "4 problems" in str(caught.value)


def test_too_few_groups_are_refused():
    with pytest.raises(FoldError, match="there are only 3 groups"):
        source_of_arrays(LABELS, MEMBERS, groups=np.arange(60) % 3)
