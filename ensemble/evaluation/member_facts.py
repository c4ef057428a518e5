"""What a member is and what it cost, from the recipe and the ``run.json`` files that it left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from ensemble.errors import ArtefactError
from ensemble.run_facts import read_run
from ensemble.runs import MemberPaths
from ensemble.standings import MemberFacts

if TYPE_CHECKING:
    from ensemble.recipe import Recipe

Found = TypeVar("Found", int, float, str)


def read_facts(paths: MemberPaths, *, n_folds: int) -> MemberFacts:
    """Read what a finished member's files say of it.

    Args:
        paths: Of the member.
        n_folds: K; each fold's ``run.json`` must stand.

    Raises:
        RecipeError: The stored recipe cannot be read.
        ArtefactError: A ``run.json`` is missing or damaged.
    """
    from ensemble.recipe import load_recipe  # noqa: PLC0415 - blends of tables need no recipe's schema

    recipe = load_recipe(paths.recipe)
    runs = _Runs([paths.fold(fold).run for fold in range(n_folds)])
    seconds, speeds = runs.all("training_seconds", float), runs.all("train_images_per_second", float)
    return MemberFacts(
        model=recipe.model.name,
        weight_layers=runs.first("weight_layers", int),
        parameters=runs.first("parameters", int),
        pool=runs.first("pool", str) or recipe.model.pool,
        dense_layers=runs.first("dense_layers", int) or recipe.model.dense_layers,
        image_size=recipe.data.image_size,
        batch_size=recipe.training.batch_size,
        accumulation_steps=recipe.training.accumulation_steps,
        epochs=recipe.training.epochs,
        trained_epochs=tuple(runs.all("epochs", int) or [recipe.training.epochs] * n_folds),
        optimizer=recipe.optimizer.name,
        learning_rate=recipe.optimizer.lr,
        loss=_loss(recipe),
        training_seconds=sum(seconds) if seconds else None,
        images_per_second=median(speeds) if speeds else None,
        machines=runs.machines(),
    )


def _loss(recipe: Recipe) -> str:
    """Its name, and which of its settings differ from the defaults."""
    settings = recipe.loss.model_dump(mode="json")
    from ensemble.recipe import LossSettings  # noqa: PLC0415

    usual = LossSettings().model_dump(mode="json")
    changed = [f"{key} {_short(value)}" for key, value in settings.items() if key != "name" and value != usual[key]]
    return ", ".join([str(settings["name"]), *changed])


def _short(value: Any) -> str:
    return "given" if isinstance(value, list | dict) else f"{value}"


class _Runs:
    """The ``run.json`` files of all folds."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._contents = [(path, read_run(path)) for path in files]

    def all(self, key: str, kind: type[Found]) -> list[Found]:
        """Each fold's value; empty if a fold's file does not have the key.

        Raises:
            ArtefactError: A value is of another kind.
        """
        if any(content.get(key) is None for _, content in self._contents):
            return []
        return [kind(_checked(path, key, content[key], kind)) for path, content in self._contents]

    def first(self, key: str, kind: type[Found]) -> Found | None:
        """The first fold's value, which is every fold's; None without."""
        return next(iter(self.all(key, kind)), None)

    def machines(self) -> tuple[str, ...]:
        """Where the folds were trained, each place once: on different ones, times say nothing of the members."""
        keys = ("device", "processor", "precision", "threads")
        found = [
            ", ".join(f"{key} {content[key]}" for key in keys if content.get(key) is not None)
            for _, content in self._contents
        ]
        return tuple(dict.fromkeys(found))


def _checked(path: Path, key: str, value: Any, kind: type[Found]) -> Any:
    allowed = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise ArtefactError(
            f"{path}: expected {key} to be of type {kind.__name__}, got {value!r}: the file was changed after "
            "training. Put the original back, or train the fold again with --overwrite"
        )
    return value
