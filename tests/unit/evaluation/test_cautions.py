"""Every warning, in the words that a reader sees."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Member, Source
from ensemble.blending.source import join_source
from ensemble.dataset import Dataset, Split
from ensemble.evaluation import BlendWishes, score_blend
from ensemble.evaluation.cautions import better_alone
from ensemble.folds import FoldFile
from ensemble.predictions import PredictionTable
from ensemble.results import MemberResult, Scores

NOTHING = np.array([], dtype=np.str_)
N = 60


def source(
    labels: NDArray[np.float64],
    *,
    groups: NDArray[np.str_] | None = None,
    holdout: NDArray[np.float64] | None = None,
    test_logit: float | None = None,
    n_test: int = 40,
) -> Source:
    """One member that is fairly right, over three folds."""
    ids = np.array([f"i{number}" for number in range(len(labels))])
    names = tuple("abcdef"[: labels.shape[1]])
    rng = np.random.default_rng(0)
    values = (2 * np.nan_to_num(labels) - 1 + rng.standard_normal(labels.shape)).astype(np.float32)
    folds = (np.arange(len(labels)) % 3).astype(np.int16)
    file = FoldFile(ids, groups, folds, 3, "f", False, 0, "made", "", "groups.csv")
    notes = {"folds_sha256": "f"}
    tables = {"oof": PredictionTable(ids, names, values, folds=folds, notes=notes)}
    splits: dict[str, Split | None] = {"holdout": None, "test": None}
    if holdout is not None:
        splits["holdout"] = Split(np.array([f"h{n}" for n in range(len(holdout))]), holdout, None, NOTHING)
    if test_logit is not None:
        splits["test"] = Split(np.array([f"t{n}" for n in range(n_test)]), None, None, NOTHING)
    for name, split in splits.items():
        if split is not None:
            rows = np.full((len(split), labels.shape[1]), test_logit or 0.0, np.float32)
            tables[name] = PredictionTable(split.image_ids, names, rows, notes=notes)
    train = Split(ids, labels, groups, NOTHING)
    dataset = Dataset("toy", Path(), names, train, splits["holdout"], splits["test"], None, "groups.csv", ())
    return join_source(dataset, file, members=[Member("m", tables, {})])


def warnings_of(one: Source) -> list[str]:
    return list(score_blend(one, BlendWishes(trials=0)).result.warnings)


def half(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """A harmless first class, then the given ones."""
    return np.stack([np.tile([0.0, 1.0], N // 2), *columns], axis=1)


def positives(count: int) -> NDArray[np.float64]:
    return (np.arange(N) < count).astype(float)


def test_nothing_to_warn_of() -> None:
    assert warnings_of(source(half())) == []


def test_members_that_flatter_are_named() -> None:
    plain = source(half())
    member = plain.members[0]
    marked = replace(member.tables["oof"], notes={**member.tables["oof"].notes, "searched": "9 trials"})
    found = warnings_of(replace(plain, members=(replace(member, tables={"oof": marked}),)))
    assert [one[:30] for one in found] == ["settings found by tune: 'm'. I"]


def test_classes_without_labels_or_positives_are_named() -> None:
    found = warnings_of(source(half(np.full(N, math.nan), np.zeros(N))))
    assert found[0].startswith("no row is labelled for 'b': left out of every mean")
    assert found[1].startswith("no training row is positive for 'c': never called positive, and F1 counts as 0")
    assert not [one for one in found[2:] if not one.startswith("F falls steeply")]


def test_a_fixed_threshold_calls_classes_without_a_positive_too() -> None:
    one, wishes = source(half(np.full(N, math.nan), np.zeros(N))), BlendWishes(trials=0, thresholds="fixed")
    found = score_blend(one, wishes).result.warnings
    assert found[:2] == (
        "no row is labelled for 'b': left out of every mean",
        "no training row is positive for 'c': F1 counts as 0",
    )


def test_classes_without_a_negative_are_named() -> None:
    labels = half(np.where(np.arange(N) % 5 == 0, math.nan, 1.0))
    card = score_blend(source(labels), BlendWishes(trials=0))
    assert card.result.warnings[0].startswith("no training row is negative for 'b': called positive everywhere")
    assert card.thresholds[1] == 0.0


def test_rare_classes_are_named_with_their_counts() -> None:
    found = warnings_of(source(half(positives(2), positives(10))))
    assert "b (2): fewer positive images than the 3 folds: some folds have none to score" in found
    assert "c (10): fewer than 25 positive images: threshold and F1 are unstable" in found


def test_groups_are_counted_not_images() -> None:
    groups = np.array([f"p{number // 10}" for number in range(N)])
    found = warnings_of(source(half(positives(30)), groups=groups))
    assert "a (6), b (3): fewer than 25 positive groups: threshold and F1 are unstable" in found


def test_a_class_that_is_never_called_is_named() -> None:
    column = np.zeros(N)
    column[0] = 1
    one = source(half(column))
    one.members[0].tables["oof"].values[:, 1] = -5.0
    one.members[0].tables["oof"].values[0, 1] = 5.0
    card = score_blend(one, BlendWishes(trials=0))
    assert card.result.classes[1].fold_thresholds[0] == 2.0
    assert "cross-fitted, no row is called positive for 'b': F1 is 0" in card.result.warnings


def test_a_holdout_without_positives_is_named() -> None:
    found = warnings_of(source(half(), holdout=np.zeros((4, 1))))
    assert found == ["no holdout row is positive for 'a': the holdout's F1 of it counts as 0, whatever is called"]


def test_a_holdout_without_labels_of_a_class_is_left_out_of_the_mean_and_named() -> None:
    labels = np.array([[1.0, math.nan], [0.0, math.nan]])
    one = source(half(half()[:, 0]), holdout=labels)
    one.members[0].tables["holdout"].values[:] = [[9.0, 9.0], [-9.0, 9.0]]
    card = score_blend(one, BlendWishes(trials=0))
    assert card.result.scores.holdout == 1.0
    assert card.result.warnings == ("no holdout row is labelled for 'b': left out of the holdout's mean",)


def test_another_rate_on_the_test_rows_is_named() -> None:
    found = warnings_of(source(half(), test_logit=9.0))
    assert len(found) == 1
    assert "by more than chance: a (100.00% of test rows, 51.67% in training)" in found[0]
    assert "a (0.00% of test rows" in warnings_of(source(half(), test_logit=-9.0))[0]


def test_two_test_rows_may_be_chance() -> None:
    assert warnings_of(source(half(), test_logit=9.0, n_test=2)) == []


def test_rows_of_a_group_are_one_witness() -> None:
    groups = np.array([f"p{number // 10}" for number in range(N)])
    assert not [one for one in warnings_of(source(half(), groups=groups, test_logit=9.0)) if "another rate" in one]


def test_more_positive_calls_than_positives_are_no_shift() -> None:
    one = source(half(positives(10)), test_logit=0.0)
    card = score_blend(one, BlendWishes(trials=0, thresholds="fixed"))
    called = card.cross_fitted.decisions[:, 1]
    rows = np.resize(one.members[0].tables["oof"].values, (2000, 2))
    test = replace(one.members[0].tables["test"], image_ids=np.arange(2000).astype(str), values=rows)
    moved = replace(one, members=(replace(one.members[0], tables={**one.members[0].tables, "test": test}),))
    assert called.sum() > 1.5 * 10
    assert not [warning for warning in warnings_of(moved) if "another rate" in warning]


def test_picked_epochs_and_copies_are_named() -> None:
    one = source(half())
    member = one.members[0]
    oof = replace(member.tables["oof"], notes={"select": "best_on_fold"})
    found = warnings_of(replace(one, members=(member, Member("n", {"oof": oof}, {}))))
    assert found[0].startswith("epoch picked on these rows: 'n' (training.select: best_on_fold)")
    assert found[1] == "members 'm' and 'n' are copies of one another: the same opinion counts twice"


def test_a_rescaled_copy_is_named() -> None:
    one = source(half())
    member = one.members[0]
    cooled = replace(member.tables["oof"], values=member.tables["oof"].values / 2)
    found = warnings_of(replace(one, members=(member, Member("n", {"oof": cooled}, {}))))
    assert found[0] == (
        "members 'm' and 'n' put all rows into the same order, as one rescaled would: the same opinion counts twice"
    )


def test_a_member_that_is_clearly_better_alone_is_named() -> None:
    blend = Scores(cross_fitted=0.80, in_sample=0.82, at_half=0.7, holdout=None)
    members = [
        MemberResult(name, 0.5, replace(blend, cross_fitted=score), False)
        for name, score in (("weak", 0.70), ("strong", 0.81))
    ]
    (sentence,) = better_alone(members, blend)
    assert sentence.startswith("'strong' alone scores 0.8100 cross-fitted, the blend 0.8000")
    assert "flattered" in sentence
    assert not list(better_alone(members, replace(blend, cross_fitted=0.806)))


def test_a_member_with_a_picked_epoch_is_not_recommended() -> None:
    blend = Scores(cross_fitted=0.46, in_sample=0.5, at_half=0.4, holdout=None)
    picked = MemberResult("picked", 0.5, replace(blend, cross_fitted=0.55), True)
    plain = MemberResult("plain", 0.5, replace(blend, cross_fitted=0.50), False)
    (sentence,) = better_alone([picked, plain], blend)
    assert sentence.startswith("'plain' alone scores 0.5000")
    assert not list(better_alone([picked], blend))
