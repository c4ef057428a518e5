"""What a blend leaves on disk: ``blend.json``, the report, the blended tables, the submission and its origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ensemble.blending import MeanOfRanks, Source
from ensemble.blending.stored_ranks import write_ranks
from ensemble.evaluation import LabelledRows, Scorecard
from ensemble.evaluation.curve_bands import with_bands
from ensemble.evaluation.rules import STUDIES
from ensemble.evaluation.stored import BLEND_VERSION
from ensemble.files import sha256_of_file, write_json
from ensemble.files_together import where_written, without_leftovers, written_together
from ensemble.predictions import write_predictions
from ensemble.results import ClassResult, Likeness, Scores
from ensemble.run_facts import read_run
from ensemble.runs import SPLITS, BlendPaths
from ensemble.submission import plain_template, read_template, write_submission

SUBMISSION_VERSION = 1
_PER_CLASS = (
    "positives",
    "positive_groups",
    "threshold",
    "tp",
    "fp",
    "fn",
    "tn",
    "precision",
    "recall",
    "f1",
    "f1_ci95",
    "in_sample_f1",
    "auroc",
    "average_precision",
    "training_rate",
    "test_rate",
)


def write_blend(paths: BlendPaths, *, source: Source, card: Scorecard) -> None:
    """Write the blended tables, the report and then ``blend.json``, whose presence means that the blend is whole.

    What an earlier blend of this name left and this one does not have is removed, so that nothing old lies beside it.
    Where not all can be written, the earlier blend stays.
    """
    with written_together(removed=[paths.summary, *_stale(paths, card)]):
        for split, table in card.tables.items():
            write_predictions(paths.table(split), table)
        if isinstance(card.chain.combination, MeanOfRanks):
            write_ranks(paths.ranks, card.chain.combination)
        _write_page(paths, source, card)
        write_json(paths.summary, blend_summary(source, card))


def _stale(paths: BlendPaths, card: Scorecard) -> list[Path]:
    tried = {rule.name for rule in card.result.rules}
    tables = [paths.table(split) for split in SPLITS if split not in card.tables]
    weights = [] if card.result.choice.combine == "optuna" else [paths.journal("weights")]
    studies = [paths.journal(one) for one in STUDIES if f"optuna_{one}" not in tried]
    return [paths.report, paths.ranks, *tables, *weights, *studies]


def _write_page(paths: BlendPaths, source: Source, card: Scorecard) -> None:
    from ensemble.report.blend_page import write_blend_page  # noqa: PLC0415 - templates and figures

    rows = LabelledRows(source.labels, source.folds, source.groups)
    probabilities = card.tables["oof"].probabilities()
    curves = with_bands(
        card.curves, rows, probabilities=probabilities, class_names=source.class_names, seed=card.wishes.seed
    )
    write_blend_page(paths.report, card.result, curves, remarks=source.remarks)


def blend_summary(source: Source, card: Scorecard) -> dict[str, Any]:
    """The content of ``blend.json``. Python's floats are written so that reading them gives the same floats."""
    result = card.result
    return {
        "version": BLEND_VERSION,
        **_made_by(card),
        "class_names": list(result.class_names),
        "thresholds": _thresholds(card),
        **_test_thresholds(card),
        "decides": _decides(card),
        "scores": {**_scores(result.scores), "best_possible": _number(result.best_possible)},
        "per_class": {row.name: _per_class(row) for row in result.classes},
        "rules": [_without_nan(asdict(rule)) for rule in result.rules],
        "combinations": [_without_nan(asdict(tried)) for tried in result.choice.tried],
        "member_scores": {member.name: _scores(member.scores) for member in result.members},
        "likeness": None if result.likeness is None else _likeness(result.likeness),
        "epoch_picked": _epochs_picked(card),
        "skipped": dict(result.skipped),
        "warnings": list(result.warnings),
        "remarks": list(source.remarks),
        "rows": asdict(result.rows),
        **_origin(source),
        "models": _models(source),
    }


def write_submission_files(path: Path, *, source: Source, card: Scorecard) -> str | None:
    """Write the file to send, and beside it, as ``.json``, what it was made from.

    Arguments, result and errors as for ``write_decisions``.
    """
    if "test" not in card.tables:
        return source.without_test
    with without_leftovers(path, path.with_suffix(".json")), written_together():
        write_decisions(path, source=source, card=card)
        write_json(path.with_suffix(".json"), _submission_origin(path, source=source, card=card))
    return None


def write_decisions(path: Path, *, source: Source, card: Scorecard) -> str | None:
    """Write the file to send: the test rows' decisions in the template's form, else id and classes.

    Args:
        path: Of the CSV.
        source: Members and rows.
        card: The blend.

    Returns:
        None; or why nothing was written.

    Raises:
        DataError: The template cannot be used, or asks for images that were not predicted.
    """
    decisions = card.test_decisions()
    if decisions is None:
        return source.without_test
    image_ids = card.tables["test"].image_ids
    template = (
        plain_template(image_ids, source.class_names) if source.template is None else read_template(source.template)
    )
    write_submission(path, template, image_ids, source.class_names, decisions)
    return None


def _submission_origin(path: Path, *, source: Source, card: Scorecard) -> dict[str, Any]:
    return {
        "version": SUBMISSION_VERSION,
        "submission": path.name,
        "submission_sha256": sha256_of_file(where_written(path)),
        **_made_by(card),
        "thresholds": _thresholds(card),
        **_test_thresholds(card),
        "scores": _scores(card.result.scores),
        "epoch_picked": _epochs_picked(card),
        **_origin(source),
    }


def _made_by(card: Scorecard) -> dict[str, Any]:
    """The metric and the rules, and the weights that they led to."""
    choice, own = card.result.choice, card.result.class_weights
    return {
        "metric": choice.metric,
        "beta": card.wishes.metric.beta,
        "combine": choice.combine,
        "asked_combine": choice.asked_combine,
        "members": _weights(card),
        "class_weights": None if own is None else {name: list(weights) for name, weights in own.items()},
        "threshold_rule": choice.thresholds,
    }


def _decides(card: Scorecard) -> dict[str, Any]:
    """All that decisions need beside the thresholds, so that they can be made again from this file."""
    choice, expected = card.result.choice, card.chain.decider.expected
    knots = None
    if expected is not None:
        pairs = zip(card.result.class_names, expected.scores, expected.chances, strict=True)
        knots = {name: {"scores": scores.tolist(), "chances": chances.tolist()} for name, scores, chances in pairs}
    return {
        "at_least_one": choice.at_least_one,
        "exclusive": choice.exclusive,
        "expected_f1": knots,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return _without_nan(asdict(scores))


def _likeness(likeness: Likeness) -> dict[str, Any]:
    return {
        "error_correlations": [_number(row) for row in likeness.error_correlations],
        "without": [_without_nan(asdict(one)) for one in likeness.absences],
    }


def _origin(source: Source) -> dict[str, Any]:
    """Which files the numbers came from, and whose settings ``tune`` found."""
    return {
        "dataset": source.name,
        "searched": [member.name for member in source.members if member.searched],
        **source.origin,
        "member_tables_sha256": {member.name: dict(member.sha256) for member in source.members},
    }


def _models(source: Source) -> dict[str, Any] | None:
    """By which fold models new images can be predicted; None for tables from anywhere, which have none."""
    runs = {name: [read_run(fold.run) for fold in folds] for name, folds in source.fold_paths.items()}
    models = {
        name: {"recipe": folds[0].get("recipe"), "weights": [fold.get("weights_sha256") for fold in folds]}
        for name, folds in runs.items()
    }
    return models or None


def _weights(card: Scorecard) -> dict[str, float]:
    return {member.name: member.weight for member in card.result.members}


def _epochs_picked(card: Scorecard) -> list[str]:
    """Members whose out-of-fold scores, and the blend's, are flattered: the mark belongs wherever these stand."""
    return [member.name for member in card.result.members if member.epoch_picked]


def _thresholds(card: Scorecard) -> dict[str, float]:
    return dict(zip(card.result.class_names, card.thresholds.tolist(), strict=True))


def _test_thresholds(card: Scorecard) -> dict[str, Any]:
    """Those of the test rows, where a flag made them of all test rows together, and that flag."""
    own = card.test_thresholds
    named = None if own is None else dict(zip(card.result.class_names, own.tolist(), strict=True))
    return {"test_thresholds": named, "test_thresholds_by": card.result.choice.test_thresholds_by}


def _per_class(row: ClassResult) -> dict[str, Any]:
    content = {name: value for name, value in asdict(row).items() if name in _PER_CLASS}
    return {**_without_nan(content), "fold_thresholds": list(row.fold_thresholds)}


def _without_nan(content: Mapping[str, Any]) -> dict[str, Any]:
    """NaN is not JSON: a score that does not exist is null."""
    return {name: _number(value) for name, value in content.items()}


def _number(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_number(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
