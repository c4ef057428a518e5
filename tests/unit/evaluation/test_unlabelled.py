"""Test rows are decided by the final thresholds, unless a flag asks for their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from ensemble.blending import Member, Source, fold_stacks
from ensemble.errors import ArtefactError, DataError
from ensemble.evaluation import BlendWishes, score_blend
from ensemble.files import sha256_of_file, write_json
from ensemble.metric import Metric
from ensemble.predictions import PredictionTable, mean_of_fold_models, write_predictions
from ensemble.report.artefacts import blend_summary
from ensemble.runs import FoldPaths
from ensemble.thresholds import decide

CLASSES = ("left", "right")
N_TRAIN, N_TEST, K = 90, 40, 3
QUICK = BlendWishes(combine="mean", thresholds="exact", trials=0)


def table(values: np.ndarray, start: str, *, fold: int | None = None) -> PredictionTable:
    ids = np.array([f"{start}{number:03d}" for number in range(len(values))])
    folds = None if fold is None else np.full(len(values), fold, dtype=np.int16)
    return PredictionTable(ids, CLASSES, values.astype(np.float32), folds=folds)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Two members of three folds, with the fold models' test tables on disk, in another order of rows and classes."""
    rng = np.random.default_rng(0)
    labels = (rng.random((N_TRAIN, 2)) < 0.3).astype(float)
    truth = rng.normal(-1.0, 1.5, (N_TEST, 2))
    members, paths = [], {}
    for name in ("one", "two"):
        oof = table(3.0 * labels - 2.0 + rng.normal(0, 1.5, labels.shape), "r")
        parts = [table(truth + rng.normal(0, 2.0, truth.shape), "t", fold=fold) for fold in range(K)]
        paths[name] = tuple(FoldPaths(tmp_path / name / f"fold_{fold}") for fold in range(K))
        for part, own in zip(parts, paths[name], strict=True):
            turned = PredictionTable(part.image_ids[::-1], CLASSES[::-1], part.values[::-1, ::-1], folds=part.folds)
            write_predictions(own.table("test"), turned)
            write_json(own.run, {"version": 1, "table_sha256": {"test": sha256_of_file(own.table("test"))}})
        members.append(Member(name, {"oof": oof, "test": mean_of_fold_models(parts)}, {}))
    return Source(
        name="made",
        class_names=CLASSES,
        image_ids=members[0].tables["oof"].image_ids,
        labels=labels,
        folds=(np.arange(N_TRAIN) % K).astype(np.int16),
        members=tuple(members),
        scored_by_fold_models=True,
        fold_paths=paths,
    )


def test_the_stacks_of_the_fold_models_make_the_means(source: Source) -> None:
    stacks = fold_stacks(source, "test")
    assert [stack.names for stack in stacks] == [("one", "two")] * K
    means = np.mean([stack.probabilities() for stack in stacks], axis=0)
    for number, member in enumerate(source.members):
        assert np.allclose(means[number], member.tables["test"].probabilities(), atol=1e-6)


def test_by_default_the_final_thresholds_decide(source: Source) -> None:
    card = score_blend(source, QUICK)
    assert card.test_thresholds is None
    assert card.result.choice.test_thresholds_by is None
    assert np.array_equal(card.test_decisions(), decide(card.tables["test"].probabilities(), card.thresholds))
    assert blend_summary(source, card)["test_thresholds"] is None


def test_the_mean_is_cut_where_it_says_yes_as_often_as_one_model(source: Source) -> None:
    card, plain = score_blend(source, replace(QUICK, correct_for_mean=True)), score_blend(source, QUICK)
    assert np.array_equal(card.thresholds, plain.thresholds)
    assert card.result.scores == plain.result.scores
    own = card.test_thresholds
    assert own is not None
    blends = np.stack([expit(card.chain.combination(stack).astype(float)) for stack in fold_stacks(source, "test")])
    wanted = (blends >= card.thresholds).sum(axis=1).mean(axis=0)
    decisions = card.test_decisions()
    assert decisions is not None
    assert np.abs(decisions.sum(axis=0) - wanted).max() <= 0.5
    assert not np.array_equal(decisions, plain.test_decisions())
    assert [row.test_rate for row in card.result.classes] == decisions.mean(axis=0).tolist()
    summary = blend_summary(source, card)
    assert summary["test_thresholds"] == dict(zip(CLASSES, own.tolist(), strict=True))
    assert summary["test_thresholds_by"] == "--match-fold-models"


def test_the_training_rate_can_be_matched(source: Source) -> None:
    card = score_blend(source, replace(QUICK, match_test_rate=True))
    decisions = card.test_decisions()
    assert decisions is not None
    assert np.abs(decisions.sum(axis=0) - source.labels.mean(axis=0) * N_TEST).max() <= 0.5
    assert card.result.choice.test_thresholds_by == "--match-test-rate"


def test_label_rules_hold_for_corrected_thresholds(source: Source) -> None:
    wishes = replace(QUICK, correct_for_mean=True, at_least_one=True)
    decisions = score_blend(source, wishes).test_decisions()
    assert decisions is not None
    assert decisions.any(axis=1).all()


def test_what_cannot_be_corrected_is_said(source: Source) -> None:
    wishes = replace(QUICK, correct_for_mean=True)
    with pytest.raises(DataError, match="--match-fold-models and --match-test-rate cut the same rows: give one"):
        score_blend(source, replace(wishes, match_test_rate=True))
    with pytest.raises(DataError, match="own test tables are needed, but tables from anywhere are the means alone"):
        score_blend(replace(source, fold_paths={}), wishes)
    training = tuple(replace(one, tables={"oof": one.tables["oof"]}) for one in source.members)
    with pytest.raises(DataError, match="--match-fold-models is about the test rows, but there are no test rows"):
        score_blend(replace(source, members=training), wishes)
    with pytest.raises(DataError, match="own holdout tables are needed, but the members have no holdout rows"):
        fold_stacks(source, "holdout")
    by_image = replace(wishes, metric=Metric("sample_f1"), thresholds="auto")
    with pytest.raises(DataError, match="--thresholds auto for sample-F1 decides image by image"):
        score_blend(source, by_image)


def test_a_fold_table_that_was_changed_is_refused(source: Source) -> None:
    own = source.fold_paths["two"][1]
    write_predictions(own.table("test"), table(logit(np.full((N_TEST, 2), 0.5)), "t", fold=1))
    with pytest.raises(ArtefactError, match="it was changed after training"):
        fold_stacks(source, "test")
