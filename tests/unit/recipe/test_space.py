"""Search spaces: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.errors import RecipeError
from ensemble.recipe import load_recipe
from ensemble.recipe.space import Parameter, read_space, start_values
from ensemble.recipe_files import list_recipes, recipes_folder, space_file

RECIPE = "model: {name: cnn2}\noptimizer: {lr: 1e-3}\ntraining: {batch_size: 24, ema_decay: 0.9}\n"


def read(folder: Path, text: str) -> tuple[Parameter, ...]:
    (folder / "r.yaml").write_text(RECIPE)
    (folder / "space.yaml").write_text(text)
    return read_space(folder / "space.yaml", folder / "r.yaml")


def test_ranges_and_choices(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "optimizer.lr: {low: 1e-5, high: 1e-2, log: true}\n"
        "training.batch_size: {low: 8, high: 32, step: 8}\n"
        "training.ema_decay: [null, 0.9]\n"
        "loss.name: [asl, twoway]\n",
    )
    assert found == (
        Parameter("optimizer.lr", (), 1e-5, 1e-2, True),
        Parameter("training.batch_size", (), 8, 32, False, 8),
        Parameter("training.ema_decay", ("null", "0.9")),
        Parameter("loss.name", ("asl", "twoway")),
    )
    start = start_values(found, load_recipe(tmp_path / "r.yaml"))
    assert start == {"optimizer.lr": 1e-3, "training.batch_size": 24, "training.ema_decay": "0.9"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr: [1, 2]", r"line 1: optimizer\.lrr: unknown key; did you mean 'lr'"),
        ("lr: {low: 0.1, high: 0.2}", r"unknown key; did you mean 'optimizer\.lr'"),
        ("optimizer.lr: {low: -1.0, high: 0.1}", r"--set optimizer\.lr=-1.*more than 0"),
        ("loss.name: [bce, bcee]", "expected bce, cross_entropy.*bcee"),
        ("loss.name: [bce]", "two different choices"),
        ("loss.name: bce", "expected a list of choices, or"),
        ("optimizer.lr: {low: 0.1, high: 0.01}", "low < high"),
        ("optimizer.lr: {low: 0.1, high: yes}", "high: expected a number"),
        ("optimizer.lr: {low: 0.1, high: 1.0, steps: 2}", "unknown 'steps'"),
        ("optimizer.lr: {low: 0.1, high: 1.0, log: true, step: 0.1}", "starts above 0 and has no step"),
        ("training.batch_size: {low: 8, high: 32, step: 0.5}", "whole between whole numbers"),
        ("optimizer.lr: {low: 0.1, high: 0.5, step: 0.3}", "a whole number of steps, got 0.3 from 0.1 to 0.5"),
        ("optimizer.lr: {low: 0.1, high: 0.5, step: 5}", "a whole number of steps"),
        (f"training.epochs: {{low: 1, high: {'9' * 400}}}", "high: expected a number"),
        ("optimizer.lr: {low: 0.1, high: .inf}", "high: expected a number"),
        ("data.n_folds: [2, 3]", "this key is not searched"),
        ("training.tta: [null, hflip]", "this key is not searched"),
        ("searched.fold: [0, 1]", "this key is not searched"),
        ("{}", "got none"),
    ],
)
def test_wrong_spaces_are_refused_with_their_lines(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize("space", sorted((recipes_folder() / "spaces").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_spaces_of_the_package_fit_its_recipes(space: Path) -> None:
    assert space_file(Path(space.stem)) == space
    assert space_file(space) == space
    assert not any("spaces" in recipe.name for recipe in list_recipes())
    assert read_space(space, recipes_folder() / "resnet18.yaml")
