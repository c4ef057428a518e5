"""The files of a blend's members: all there, and those that the blend was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble.errors import ArtefactError, EnsembleError, quoted
from ensemble.evaluation.stored import SealedModels, StoredBlend
from ensemble.files import sha256_of_file
from ensemble.recipe import Recipe, load_recipe, stored_recipe_hash
from ensemble.run_facts import read_run
from ensemble.runs import DatasetRuns, FoldPaths, MemberPaths
from ensemble.sealed import check_sealed


@dataclass(frozen=True, eq=False)
class FoldFiles:
    """One fold's model.

    Attributes:
        weights: The file.
        facts: Of its ``run.json``.
    """

    weights: Path
    facts: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class MemberFiles:
    """One member's models.

    Attributes:
        name: The member's.
        recipe: What they were trained with.
        folds: K.
    """

    name: str
    recipe: Recipe
    folds: tuple[FoldFiles, ...]

    @property
    def mirrored(self) -> bool:
        """Whether its tables hold the mean of each image and its mirror image."""
        return self.recipe.training.tta is not None


def open_members(blend: StoredBlend) -> list[MemberFiles]:
    """The models of all members that count, checked against what the blend says of them.

    Raises:
        ArtefactError: Weights, recipes or runs are missing, damaged, or others than the blend was made of: all of them
            at once.
    """
    runs = DatasetRuns(blend.paths.folder.parent.parent)
    members: list[MemberFiles] = []
    problems: list[str] = []
    for name in blend.members:
        try:
            members.append(_open_member(runs.member(name), blend, problems))
        except EnsembleError as error:
            problems.append(str(error))
    if problems:
        raise ArtefactError.gather(f"{blend.paths.folder}: its members cannot predict", problems)
    return members


def _open_member(paths: MemberPaths, blend: StoredBlend, problems: list[str]) -> MemberFiles:
    if not paths.folder.is_dir():
        raise ArtefactError(
            f"{paths.folder}: the folder of member {paths.name!r} is missing. Put it back, or blend the others anew"
        )
    recipe = load_recipe(paths.recipe)
    trained_with = stored_recipe_hash(paths.recipe)
    sealed = None if blend.models is None else blend.models.get(paths.name)
    if sealed is not None and sealed.recipe != trained_with:
        problems.append(f"{paths.recipe}: it is not the recipe that the blend's models were trained with: put it back")
    if sealed is None:
        _refuse_other_table(paths, blend)
    folds = []
    for number in range(blend.n_folds):
        try:
            folds.append(_open_fold(paths.fold(number), blend, trained_with))
            _refuse_other_weights(paths.fold(number), folds[-1], sealed, number)
        except EnsembleError as error:
            problems.append(str(error))
    return MemberFiles(paths.name, recipe, tuple(folds))


def _open_fold(fold: FoldPaths, blend: StoredBlend, recipe: str) -> FoldFiles:
    facts = read_run(fold.run)
    if not fold.weights.exists():
        raise ArtefactError(f"{fold.weights}: the fold's weights are missing. Put them back, or train it anew")
    if facts.get("recipe") != recipe:
        raise ArtefactError(f"{fold.run}: this fold was trained with another recipe than {fold.folder.parent.name}'s")
    names, threads = facts.get("class_names"), facts.get("threads", 1)
    are_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not are_names or Counter(names) != Counter(blend.class_names):
        raise ArtefactError(
            f"{fold.run}: expected the blend's classes {list(blend.class_names)} as class_names, got "
            f"{quoted(str(names))}. Put an undamaged copy back, or train the fold anew"
        )
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ArtefactError(
            f"{fold.run}: expected threads to be a whole number of at least 1, got {quoted(str(threads))}. Put an "
            "undamaged copy back, or train the fold anew"
        )
    return FoldFiles(fold.weights, facts)


def _refuse_other_weights(fold: FoldPaths, files: FoldFiles, sealed: SealedModels | None, number: int) -> None:
    """Weights must be those that training left, and those of the blend."""
    found, left = sha256_of_file(fold.weights), files.facts.get("weights_sha256")
    if left is not None:
        check_sealed(fold.weights, left, seal=fold.run)
    blended = None if sealed is None else dict(enumerate(sealed.weights)).get(number)
    if blended is not None and found != blended:
        raise ArtefactError(
            f"{fold.weights}: expected sha256 {blended[:12]} as the blend says, got {found[:12]}: the fold was trained "
            "again since. Make the blend again, so that its thresholds fit these models"
        )


def _refuse_other_table(paths: MemberPaths, blend: StoredBlend) -> None:
    """Blends of earlier releases name no models, but the table that these left."""
    table, stored = paths.table("oof"), blend.tables.get(paths.name, {}).get("oof")
    if not table.exists() or sha256_of_file(table) != stored:
        raise ArtefactError(
            f"{table}: missing, or not the table that the blend was made of: member {paths.name!r} was trained again "
            "since. Make the blend again"
        )
