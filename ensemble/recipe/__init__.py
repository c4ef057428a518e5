"""The recipe: one YAML file is one member, before training.

``load_recipe`` turns it into a frozen, typed ``Recipe`` and reports everything that is wrong with it at once. What
needs torch or albumentations to be checked, such as the names of models and transforms, is tried by
``ensemble.training`` before the first fold. Defaults stand in ``schema`` and
``training``, and nowhere else.
"""

from ensemble.recipe.loading import load_recipe
from ensemble.recipe.schema import (
    DataSettings,
    LossSettings,
    ModelSettings,
    OptimizerSettings,
    Recipe,
    ScheduleSettings,
    TransformSettings,
)
from ensemble.recipe.training import EarlyStopping, SmallImages, TrainingSettings
from ensemble.recipe.writing import dump_recipe, recipe_differences, recipe_hash, stored_recipe_hash

__all__ = [
    "DataSettings",
    "EarlyStopping",
    "LossSettings",
    "ModelSettings",
    "OptimizerSettings",
    "Recipe",
    "ScheduleSettings",
    "SmallImages",
    "TrainingSettings",
    "TransformSettings",
    "dump_recipe",
    "load_recipe",
    "recipe_differences",
    "recipe_hash",
    "stored_recipe_hash",
]
