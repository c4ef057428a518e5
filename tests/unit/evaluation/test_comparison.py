"""The ranking, and everything that is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.blending import Member, Source
from ensemble.blending.source import join_source
from ensemble.dataset import Dataset, Split
from ensemble.evaluation import BlendWishes, compare_members, paired_interval, score_blend, score_interval
from ensemble.evaluation.crossfit import cross_fit
from ensemble.evaluation.rows import LabelledRows
from ensemble.files import write_json, write_text
from ensemble.folds import FoldFile
from ensemble.metrics import label_accuracy, macro_auroc, macro_log_loss, subset_accuracy
from ensemble.predictions import PredictionTable
from ensemble.runs import DatasetRuns
from ensemble.standings import Comparison
from ensemble.thresholds import ExactThresholds, decide

NOTHING = np.array([], dtype=np.str_)
N, K = 240, 3
GROUPS = np.array([f"p{number // 4}" for number in range(N)])
RNG = np.random.default_rng(0)
LABELS = (RNG.random((N, 2)) < [0.5, 0.3]).astype(float)


def says(noise: float, seed: int) -> NDArray[np.float32]:
    return (2 * np.nan_to_num(LABELS) - 1 + noise * np.random.default_rng(seed).standard_normal(LABELS.shape)).astype(
        np.float32
    )


STRONG, MIDDLE, WEAK = says(0.8, 1), says(1.5, 2), says(4.0, 3)


def source(
    members: Mapping[str, NDArray[np.float32]],
    *,
    picked: str = "",
    labels: NDArray[np.float64] = LABELS,
    groups: NDArray[np.str_] | None = GROUPS,
) -> Source:
    ids = np.array([f"i{number}" for number in range(N)])
    folds = (np.arange(N) // 4 % K).astype(np.int16)
    file = FoldFile(ids, groups, folds, K, "f", False, 0, "made", "", "groups.csv")
    tables = {
        name: PredictionTable(
            ids,
            ("a", "b"),
            values,
            folds=folds,
            notes={"folds_sha256": "f", "select": "best_on_fold" if name == picked else "last"},
        )
        for name, values in members.items()
    }
    train = Split(ids, labels, groups, NOTHING)
    dataset = Dataset("toy", Path(), ("a", "b"), train, None, None, None, "groups.csv", ())
    return join_source(dataset, file, members=[Member(name, {"oof": table}, {}) for name, table in tables.items()])


def runs_of(folder: Path, one: Source, **other: Mapping[str, Any]) -> DatasetRuns:
    """Recipes and facts of the members; ``other`` changes those of the member that is named."""
    runs = DatasetRuns(folder)
    for member in one.members:
        changes = other.get(member.name, {})
        epochs, size = changes.get("epochs", 3), changes.get("size", 48)
        write_text(
            runs.member(member.name).recipe,
            f"model: {{name: cnn2}}\ntraining: {{epochs: {epochs}}}\ndata: {{image_size: {size}}}\n",
        )
        for fold in range(K):
            write_json(runs.member(member.name).fold(fold).run, {"version": 1, "device": changes.get("device", "cpu")})
    return runs


def compared(folder: Path, one: Source, **other: Mapping[str, Any]) -> Comparison:
    return compare_members(one, runs_of(folder, one, **other), n_resamples=200)


def test_members_are_ranked_by_the_score_to_believe(tmp_path: Path) -> None:
    one = source({"weak": WEAK, "strong": STRONG, "middle": MIDDLE})
    found = compared(tmp_path, one)
    assert [standing.name for standing in found.standings] == ["strong", "middle", "weak"]
    assert [standing.facts.model for standing in found.standings] == ["cnn2"] * 3
    result = score_blend(one, BlendWishes(combine="mean", thresholds="exact", trials=0)).result
    alone = {member.name: member.scores for member in result.members}
    for standing in found.standings:
        scores = alone[standing.name]
        assert (standing.cross_fitted.point, standing.in_sample, standing.at_half) == (
            scores.cross_fitted,
            scores.in_sample,
            scores.at_half,
        )
        assert standing.cross_fitted.low < standing.cross_fitted.point < standing.cross_fitted.high
    assert found.blend is not None
    assert found.blend.point == result.scores.cross_fitted
    assert (found.rows.n_train, found.rows.n_folds, found.rows.n_groups) == (N, K, N // 4)


def test_other_scores_are_the_metrics_at_half_and_of_the_probabilities(tmp_path: Path) -> None:
    (standing,) = compared(tmp_path, source({"middle": MIDDLE})).standings
    probabilities = 1 / (1 + np.exp(-MIDDLE.astype(float)))
    at_half = decide(probabilities, [0.5, 0.5])
    assert standing.subset_accuracy == subset_accuracy(LABELS, at_half)
    assert standing.label_accuracy == label_accuracy(LABELS, at_half)
    assert standing.auroc == pytest.approx(macro_auroc(LABELS, probabilities))
    assert standing.log_loss == pytest.approx(macro_log_loss(LABELS, probabilities))


def test_intervals_are_those_of_the_bootstrap(tmp_path: Path) -> None:
    one = source({"strong": STRONG, "middle": MIDDLE})
    found = compare_members(one, runs_of(tmp_path, one), n_resamples=300, seed=7)
    rows = LabelledRows(LABELS, one.folds, GROUPS)
    first, second = (
        cross_fit(ExactThresholds(), member.tables["oof"].probabilities(), rows=rows).decisions
        for member in one.members
    )
    alone = {"groups": GROUPS, "n_resamples": 300, "seed": 7}
    assert found.standings[0].cross_fitted == score_interval(LABELS, first, **alone)
    assert found.standings[1].cross_fitted == score_interval(LABELS, second, **alone)
    (pair,) = found.pairs
    assert pair.difference == paired_interval(LABELS, first, other=second, **alone)
    assert found.neighbours == (pair,)
    assert found.standings[1].behind_best == pair.difference
    assert found.standings[0].behind_best is None


def test_a_twin_changes_nothing_and_errs_the_same(tmp_path: Path) -> None:
    found = compared(tmp_path, source({"strong": STRONG, "twin": STRONG.copy(), "weak": WEAK}))
    pair = found.pairs[0]
    assert (pair.first, pair.second) == ("strong", "twin")
    assert (pair.difference.point, pair.difference.low, pair.difference.high) == (0.0, 0.0, 0.0)
    assert pair.error_correlation == pytest.approx(1.0)
    assert pair.disagreement == 0.0
    losses = {absence.member: absence.loss for absence in found.absences}
    assert losses["strong"] == losses["twin"]
    assert any(
        warning.startswith("members that are copies of one another: 'strong = twin'") for warning in found.warnings
    )


def test_the_blend_of_copies_does_not_miss_one(tmp_path: Path) -> None:
    found = compared(tmp_path, source({"a": MIDDLE, "b": MIDDLE.copy(), "c": MIDDLE.copy()}))
    for absence in found.absences:
        assert (absence.loss.point, absence.loss.low, absence.loss.high) == (0.0, 0.0, 0.0)


def test_the_blend_misses_the_member_that_carries_it(tmp_path: Path) -> None:
    found = compared(tmp_path, source({"strong": STRONG, "weak": WEAK, "weaker": says(6.0, 4)}))
    losses = {absence.member: absence.loss for absence in found.absences}
    assert losses["strong"].low > 0
    assert losses["strong"].point == max(loss.point for loss in losses.values())
    assert found.blend is not None
    for absence in found.absences:
        assert absence.loss.point == pytest.approx(found.blend.point - absence.without)
    assert found.blend_gain is not None
    assert found.blend_gain.point == pytest.approx(found.blend.point - found.standings[0].cross_fitted.point)


def test_every_pair_is_there_once(tmp_path: Path) -> None:
    found = compared(tmp_path, source({"weak": WEAK, "strong": STRONG, "middle": MIDDLE}))
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("strong", "middle"),
        ("strong", "weak"),
        ("middle", "weak"),
    ]
    assert [(pair.first, pair.second) for pair in found.neighbours] == [("strong", "middle"), ("middle", "weak")]
    assert all(pair.difference.point >= 0 for pair in found.pairs)


def test_one_member_has_nothing_beside_it(tmp_path: Path) -> None:
    found = compared(tmp_path, source({"only": STRONG}))
    assert (found.blend, found.blend_gain, found.pairs, found.neighbours, found.absences) == (None, None, (), (), ())
    assert found.standings[0].cross_fitted.low < found.standings[0].cross_fitted.high


def test_twice_gives_the_same_and_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    first = compared(tmp_path / "1", source({"a": STRONG, "b": WEAK, "c": MIDDLE}))
    again = compared(tmp_path / "2", source({"c": MIDDLE, "b": WEAK, "a": STRONG}))
    assert replace(first, warnings=()) == replace(again, warnings=())


def warnings_of(folder: Path, one: Source, **other: Mapping[str, Any]) -> list[str]:
    return list(compared(folder, one, **other).warnings)


def test_there_may_be_nothing_to_warn_of(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, source({"a": STRONG, "b": WEAK})) == []


def test_picked_epochs_are_named_and_marked(tmp_path: Path) -> None:
    one = source({"a": STRONG, "b": WEAK}, picked="b")
    found = compared(tmp_path, one)
    assert [standing.epoch_picked for standing in found.standings] == [False, True]
    assert found.warnings[0].startswith("epoch picked on these rows: 'b' (training.select: best_on_fold)")


def test_few_groups_and_rare_classes_are_named(tmp_path: Path) -> None:
    few = np.array([f"p{number // 4 % 12}" for number in range(N)])
    members = {"a": STRONG, "b": WEAK}
    assert warnings_of(tmp_path, source(members, groups=few)) == [
        "only 12 groups: bootstrap intervals over so few are too narrow"
    ]
    rare = LABELS.copy()
    rare[:, 1] = np.arange(N) < 20
    (warning,) = warnings_of(tmp_path, source(members, labels=rare, groups=None))
    assert warning.startswith("b (20): fewer than 25 positive images, too few")
    rare[:, 1] = math.nan
    assert (
        warnings_of(tmp_path, source(members, labels=rare))[0] == "no row is labelled for 'b': left out of every mean"
    )


def test_other_budgets_and_machines_are_named(tmp_path: Path) -> None:
    one = source({"a": STRONG, "b": WEAK})
    budgets, machines = warnings_of(tmp_path, one, a={"epochs": 5, "size": 64}, b={"device": "a card"})
    assert budgets.startswith("members were trained at different image sizes (48 × 48, 64 × 64 pixels) and numbers of")
    assert "epochs (3, 5)" in budgets
    assert machines.startswith("folds were trained on 2 different devices or settings ('device cpu', 'device a card')")
