"""The keys of a recipe, their types, and the one place of their defaults.

The models are strict: ``true`` is no number and ``"3"`` is no 3. YAML has no tuples and no paths, so lists and text
stand for them. Instances are frozen; the dictionaries in ``args`` must be left alone.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from ensemble.recipe.fields import (
    Args,
    Count,
    Name,
    NonNegative,
    Number,
    Positive,
    Seed,
    Settings,
    expected,
    is_number,
)
from ensemble.recipe.training import TrainingSettings

RECIPE_VERSION = 1
LossName = Literal["bce", "cross_entropy", "asl", "poly", "twoway", "zlpr", "db", "soft_f1", "bce_soft_f1"]

_CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRANSFORM_FORM = "one transform as {Name: {argument: value}} or Name"


def _are_weights(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(is_number(item) and 0 < item < math.inf for item in value)
    return value in ("none", "balanced")


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list | tuple) else [value, value]
    return len(sides) == 2 and all(is_number(side) and isinstance(side, int) and 8 <= side <= 8192 for side in sides)


def _square(value: Any) -> Any:
    """``64`` means ``[64, 64]``."""
    return (value, value) if isinstance(value, int) else value


class DataSettings(Settings):
    """What is trained on, and how its pixels are scaled.

    Attributes:
        path: The dataset's folder, relative to the current working directory; ``--data`` goes before it.
        image_size: (height, width) that every image is resized to.
        mean: Subtracted from pixels in [0, 1].
        std: They are divided by it afterwards.
        n_folds: Number of folds; like the two below, None leaves it to the dataset.
        fold_seed: Of the assignment of rows to folds.
        holdout: False adds the rows that came as validation to the folds.
    """

    path: Path | None = None
    image_size: Annotated[
        tuple[int, int],
        BeforeValidator(_square),
        expected("a whole number from 8 to 8192, or [height, width] of two such", _is_size),
    ] = (224, 224)
    mean: Annotated[Number, Field(ge=0, le=1)] = 0.485
    std: Annotated[Positive, Field(le=1)] = 0.229
    n_folds: Annotated[int, Field(ge=2)] | None = None
    fold_seed: Seed | None = None
    holdout: bool | None = None


class TransformSettings(Settings):
    """One albumentations transform; in YAML ``{HorizontalFlip: {p: 0.5}}`` or just ``HorizontalFlip``."""

    name: Name
    args: Args = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" in value:
            return value
        name, args = (value, None) if isinstance(value, str) else _only_item(value)
        if not isinstance(name, str) or not _CLASS_NAME.fullmatch(name) or not isinstance(args, dict | None):
            raise PydanticCustomError("expected", "expected {what}", {"what": _TRANSFORM_FORM})
        return {"name": name, "args": args or {}}

    @model_serializer
    def _to_yaml(self) -> dict[str, Args]:
        return {self.name: self.args}


def _only_item(value: Any) -> tuple[Any, Any]:
    return next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (None, None)


class ModelSettings(Settings):
    """The network.

    Attributes:
        name: Of a timm model, which ours are too.
        pool: The pooling layers' kind (our convolutional models).
        dense_layers: The number of dense layers at the end (our models).
        pretrained: False: random weights; true: timm's, from the hub; text: a file of weights, relative to the
            current working directory.
        args: Passed to ``timm.create_model``.
    """

    name: Name
    pool: Literal["max", "avg"] | None = None
    dense_layers: Count | None = None
    pretrained: Annotated[
        bool | Path, expected("true, false or a file's path", lambda value: isinstance(value, bool | str | Path))
    ] = False
    args: Args = Field(default_factory=dict)


class LossSettings(Settings):
    """What is minimised.

    Attributes:
        name: ``bce``, the binary cross-entropy of each class, or another; docs/recipes.md describes them.
        pos_weight: Weight of positives against negatives: ``none``, ``balanced`` (negatives / positives of each class
            among the training rows), or a number a class. Of ``bce`` and ``bce_soft_f1`` alone.
        args: Of the loss itself.
    """

    name: LossName = "bce"
    pos_weight: Annotated[
        Literal["none", "balanced"] | tuple[Positive, ...],
        expected("none, balanced or a list of numbers above 0, one a class", _are_weights),
    ] = "none"
    args: Args = Field(default_factory=dict)


class OptimizerSettings(Settings):
    """How weights are updated: a timm optimizer.

    Attributes:
        args: Passed to ``timm.optim.create_optimizer_v2``.
    """

    name: Name = "adam"
    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.0
    args: Args = Field(default_factory=dict)


class ScheduleSettings(Settings):
    """The learning rate over time.

    Attributes:
        name: ``cosine`` falls to ``min_lr`` at the end, ``none`` stays constant.
        warmup_epochs: Over which it climbs first; parts of an epoch count.
    """

    name: Literal["cosine", "none"] = "cosine"
    warmup_epochs: NonNegative = 0.0
    min_lr: NonNegative = 0.0


class Searched(Settings):
    """Where settings come from, as ``tune`` writes it: rows that chose them flatter them a little.

    Attributes:
        trials: Complete ones of the study that was the last.
        fold: The fold whose rows that study never saw.
    """

    trials: Count
    fold: Annotated[int, Field(ge=0)]


class Recipe(Settings):
    """One member, before training.

    Attributes:
        version: Of the recipe's format; recipes need not state it, resolved copies do.
        augment: Transforms of the training images, in this order.
        precision: Of the arithmetic; ``auto`` takes the fastest that the device computes well.
        seed: Of everything random but the folds.
        searched: Set by ``tune``: the search that found these settings.
    """

    version: Annotated[
        Literal[1],
        expected("1, the only format version so far", lambda value: is_number(value) and value == RECIPE_VERSION),
    ] = 1
    data: DataSettings = DataSettings()
    augment: tuple[TransformSettings, ...] = ()
    model: ModelSettings
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    training: TrainingSettings = TrainingSettings()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: Seed = 0
    searched: Searched | None = None

    @model_validator(mode="after")
    def _rates_fit(self) -> Self:
        if self.schedule.min_lr > self.optimizer.lr:
            what = f"at most optimizer.lr ({self.optimizer.lr:g})"
            raise PydanticCustomError("expected", "expected {what}", {"what": what, "key": ("schedule", "min_lr")})
        return self

    @model_validator(mode="after")
    def _freezing_fits(self) -> Self:
        if self.training.freeze_backbone_epochs and self.model.pretrained is False:
            what = "0, as model.pretrained is false: a frozen backbone of random weights would learn nothing"
            key = ("training", "freeze_backbone_epochs")
            raise PydanticCustomError("expected", "expected {what}", {"what": what, "key": key})
        return self
