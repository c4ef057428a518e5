"""A blend as it was stored: from ``blend.json`` back to the fixed map from members to decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Combination, MeanOfLogits, WeightedMean, uniform_weights
from ensemble.blending.stored_ranks import read_ranks
from ensemble.errors import ArtefactError, quoted
from ensemble.evaluation.chain import FittedChain
from ensemble.files import read_json
from ensemble.runs import BlendPaths
from ensemble.thresholds import NONE_POSITIVE, Decider, LabelRules
from ensemble.thresholds.decider import ExpectedF1
from ensemble.versions import check_version

BLEND_VERSION = 1
_MOST_FOLDS = 10_000  # each has a folder, and is asked for by its number
_HIGHEST = np.nextafter(1.0, 2.0)  # above every probability, as NONE_POSITIVE: nothing is called


@dataclass(frozen=True)
class SealedModels:
    """Which models a blend was made of.

    Attributes:
        recipe: ``recipe_hash`` of the member's recipe.
        weights: K hex SHA-256 of the fold models' weights; None where the release that trained them stored none.
    """

    recipe: str
    weights: tuple[str | None, ...]


@dataclass(frozen=True, eq=False)
class StoredBlend:
    """What decides on new images.

    Attributes:
        paths: Where it lies.
        dataset: The name of the dataset that it was made on.
        class_names: C names.
        members: Those that count: members without any weight are left out.
        n_folds: K.
        chain: From these members, in this order, to decisions. Its thresholds are those of the blend's test rows.
        thresholds_by: The flag that made these of all test rows together; None: they are the final ones.
        models: Member to its models; None where the release that made the blend did not store them.
        tables: Member to the SHA-256 of its merged tables, by split.
    """

    paths: BlendPaths
    dataset: str
    class_names: tuple[str, ...]
    members: tuple[str, ...]
    n_folds: int
    chain: FittedChain
    thresholds_by: str | None
    models: Mapping[str, SealedModels] | None
    tables: Mapping[str, Mapping[str, str]]


def read_blend(folder: Path) -> StoredBlend:
    """Read the blend in ``folder``.

    Args:
        folder: ``runs/<dataset>/blends/<name>``, or the ``blend.json`` in it.

    Raises:
        ArtefactError: There is no blend, it is damaged or of a later release; or it is one of tables from anywhere,
            behind which there are no models.
    """
    given = folder.parent if folder.name == "blend.json" else folder
    paths = BlendPaths(given if given.parent.name == "blends" else given.resolve())  # the members lie beside it
    if not paths.summary.exists():
        raise ArtefactError(
            f"{paths.folder}: expected the folder of a blend with a {paths.summary.name} in it, found none. Make one "
            "with python -m ensemble.blend: it is then runs/<dataset>/blends/<name>"
        )
    content = read_json(paths.summary)
    check_version(paths.summary, content, what="blend.json", reads=BLEND_VERSION)
    try:
        _refuse_foreign(paths, content)
        return _blend_of(paths, content)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ArtefactError(
            f"{paths.summary}: expected a blend.json as python -m ensemble.blend writes it; it is damaged "
            f"({type(error).__name__}: {error}). Make the blend again"
        ) from error


def _refuse_foreign(paths: BlendPaths, content: Mapping[str, Any]) -> None:
    stored = "models" in content
    if (content["models"] is None) if stored else (paths.folder.parent.name != "blends"):
        raise ArtefactError(
            f"{paths.folder}: this is a blend of tables from anywhere (--oof), and there are no models behind them "
            "that could look at new images. Train the members with python -m ensemble.train, or predict where the "
            "tables came from and blend the new tables (--test)"
        )


def _blend_of(paths: BlendPaths, content: Mapping[str, Any]) -> StoredBlend:
    class_names = tuple(content["class_names"])
    combination, members = _combination(paths, content, n_classes=len(class_names))
    models = content.get("models")
    sealed = None
    if models is not None:
        sealed = {name: SealedModels(one["recipe"], tuple(one["weights"])) for name, one in models.items()}
    return StoredBlend(
        paths=paths,
        dataset=str(content["dataset"]),
        class_names=class_names,
        members=members,
        n_folds=_n_folds(content["rows"]["n_folds"]),
        chain=FittedChain(combination, _decider(content, class_names)),
        thresholds_by=content.get("test_thresholds_by"),
        models=sealed,
        tables=content["member_tables_sha256"],
    )


def _n_folds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= _MOST_FOLDS:
        raise ValueError(f"expected n_folds to be a whole number from 2 to {_MOST_FOLDS:,}, got {quoted(str(value))}")
    return value


def _combination(
    paths: BlendPaths, content: Mapping[str, Any], *, n_classes: int
) -> tuple[Combination, tuple[str, ...]]:
    """The combination of those members that have a weight, and their names."""
    rule, names = str(content["combine"]), tuple(content["members"])
    if rule == "mean_ranks":
        return read_ranks(paths.ranks, n_members=len(names), n_classes=n_classes), names
    if rule == "mean_logits":
        return MeanOfLogits(uniform_weights(len(names))), names
    weights = np.array([content["members"][name] for name in names], dtype=np.float64)
    by_class = content["class_weights"]
    own = None if by_class is None else np.array([by_class[name] for name in names], dtype=np.float64)
    # A weight of 0 adds exactly 0 to every sum: such a member need not be asked.
    counts = np.asarray(weights > 0 if own is None else (own > 0).any(axis=1), dtype=np.bool_)
    kept = tuple(name for name, one in zip(names, counts.tolist(), strict=True) if one)
    return WeightedMean(rule, weights[counts] if own is None else own.mean(axis=1)[counts], _some(own, counts)), kept


def _some(weights: NDArray[np.float64] | None, counts: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    return None if weights is None else weights[counts]


def _decider(content: Mapping[str, Any], class_names: Sequence[str]) -> Decider:
    decides = content["decides"]
    thresholds = content["thresholds"] if content["test_thresholds"] is None else content["test_thresholds"]
    exclusive = decides["exclusive"]
    rules = LabelRules(bool(decides["at_least_one"]), None if exclusive is None else class_names.index(exclusive))
    expected = _expected(decides["expected_f1"], class_names)
    if expected is not None:  # image by image: there are no thresholds
        return Decider(np.full(len(class_names), np.nan), rules, expected)
    limits = np.array([_threshold(name, thresholds[name]) for name in class_names], dtype=np.float64)
    return Decider(limits, rules, None)


def _threshold(name: str, value: object) -> float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (0 <= value <= _HIGHEST or value == NONE_POSITIVE)
    ):
        return float(value)
    raise ValueError(
        f"expected a threshold from 0 to 1, or {NONE_POSITIVE} for none, for {quoted(name)}, got {value!r}"
    )


def _expected(knots: Mapping[str, Any] | None, class_names: Sequence[str]) -> ExpectedF1 | None:
    if knots is None:
        return None
    scores = tuple(np.array(knots[name]["scores"], dtype=np.float64) for name in class_names)
    return ExpectedF1(scores, tuple(np.array(knots[name]["chances"], dtype=np.float64) for name in class_names))
