from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ensemble.errors import ArtefactError, RecipeError
from ensemble.evaluation.member_facts import read_facts
from ensemble.files import write_json, write_text
from ensemble.runs import MemberPaths

RUN = {
    "weight_layers": 14,
    "parameters": 1000,
    "pool": "avg",
    "dense_layers": 1,
    "epochs": 4,
    "training_seconds": 10.5,
    "train_images_per_second": 100.0,
    "device": "cpu",
    "processor": "x86_64",
    "precision": "float32",
    "threads": 2,
}
RECIPE = (
    "model: {name: vgg14}\ntraining: {epochs: 6, batch_size: 24, accumulation_steps: 2}\ndata: {image_size: [48, 64]}\n"
)


def member(folder: Path, *runs: dict[str, Any], recipe: str = RECIPE) -> MemberPaths:
    paths = MemberPaths(folder / "m")
    write_text(paths.recipe, recipe)
    for fold, run in enumerate(runs):
        write_json(paths.fold(fold).run, {"version": 1, **run})
    return paths


def test_facts_come_from_recipe_and_runs(tmp_path: Path) -> None:
    other = {**RUN, "epochs": 6, "training_seconds": 1.0, "train_images_per_second": 300.0}
    facts = read_facts(member(tmp_path, RUN, other, {**RUN, "threads": 4}), n_folds=3)
    assert (facts.model, facts.weight_layers, facts.parameters) == ("vgg14", 14, 1000)
    assert (facts.pool, facts.dense_layers, facts.image_size) == ("avg", 1, (48, 64))
    assert (facts.batch_size, facts.accumulation_steps) == (24, 2)
    assert (facts.epochs, facts.trained_epochs) == (6, (4, 6, 4))
    assert (facts.optimizer, facts.learning_rate, facts.loss) == ("adam", 1e-3, "bce")
    assert (facts.training_seconds, facts.images_per_second) == (22.0, 100.0)
    assert facts.machines == (
        "device cpu, processor x86_64, precision float32, threads 2",
        "device cpu, processor x86_64, precision float32, threads 4",
    )


def test_runs_of_older_versions_say_less(tmp_path: Path) -> None:
    recipe = "model: {name: cnn2, pool: max}\nloss: {name: bce, pos_weight: balanced}\n"
    facts = read_facts(member(tmp_path, {}, {"parameters": 5}, recipe=recipe), n_folds=2)
    assert (facts.weight_layers, facts.parameters, facts.dense_layers) == (None, None, None)
    assert (facts.training_seconds, facts.images_per_second) == (None, None)
    assert (facts.pool, facts.trained_epochs) == ("max", (15, 15))
    assert facts.loss == "bce, pos_weight balanced"


@pytest.mark.parametrize("value", ["many", True, 1.5])
def test_a_run_that_was_edited_is_refused(value: object, tmp_path: Path) -> None:
    paths = member(tmp_path, {**RUN, "parameters": value})
    with pytest.raises(
        ArtefactError, match=r"fold_0/run\.json: expected parameters to be of type int, got .*overwrite"
    ):
        read_facts(paths, n_folds=1)


def test_a_recipe_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths = member(tmp_path, RUN, recipe="model: {nam: vgg14}\n")
    with pytest.raises(RecipeError, match=r"m/recipe\.yaml cannot be used"):
        read_facts(paths, n_folds=1)
