"""A search space: which keys of a recipe are searched, and between what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ensemble.errors import RecipeError
from ensemble.recipe.keys import is_known, suggestion
from ensemble.recipe.loading import load_recipe
from ensemble.recipe.schema import Recipe
from ensemble.yaml_text import describe, flow_text, load_yaml

_MOST = 2**53  # of whole numbers: beyond it Optuna's arithmetic is not exact
_RANGE = ("low", "high", "log", "step")
_FORM = "a list of choices, or {low: …, high: …} with log: true or step: … if you like"
# Which rows are held out is the dataset's, and must be the same for all; which weights are kept, and by what chance, is
# no setting that gets better. The last ones change no score of a trial.
_NOT_SEARCHED = (
    *("data.path", "data.n_folds", "data.fold_seed", "data.holdout", "training.select", "seed"),
    *("training.tta", "training.score_epochs", "training.cuda_graphs", "searched"),
)


@dataclass(frozen=True)
class Parameter:
    """One key.

    Attributes:
        key: Dotted, e.g. ``optimizer.lr``.
        choices: In YAML; empty for a range.
        low: Of the range, included; whole numbers at both ends are searched as such.
        high: Likewise.
        log: Whether its logarithm is searched evenly.
        step: Between values; None: every number.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None

    def ends(self) -> tuple[str, ...]:
        """Values, in YAML, that a recipe must accept if it is to accept all."""
        return self.choices or (flow_text(self.low), flow_text(self.high))

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is one of its values."""
        if self.choices:
            return flow_text(value) in self.choices
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (self.step is None or self._on_step(value))

    def _on_step(self, value: float) -> bool:
        steps = (value - self.low) / (self.step or 1)
        return abs(steps - round(steps)) < 1e-9


def read_space(path: Path, recipe: Path, overrides: Sequence[str] = ()) -> tuple[Parameter, ...]:
    """Read a space, and try the ends of its ranges and all of its choices on the recipe.

    Args:
        path: The YAML file: dotted keys of the recipe, with lists or ranges.
        recipe: The recipe file.
        overrides: ``key=value`` each, on top of it.

    Raises:
        RecipeError: Listing everything that is wrong, each with its line.
    """
    document = load_yaml(path, error=RecipeError)
    parameters, problems = [], []
    for key, value in document.data.items():
        found = _parameter(key, value)
        where = f"line {document.line_of((key,))}: {key}"
        if isinstance(found, str):
            problems.append(f"{where}: {found}")
        else:
            parameters.append(found)
            problems += [f"{where}: {problem}" for problem in _refused(found, recipe, overrides)]
    if not document.data:
        problems.append(f"expected keys of a recipe, each with {_FORM}, got none")
    if problems:
        raise RecipeError.gather(f"{path} cannot be used as a search space", problems)
    return tuple(parameters)


def _parameter(key: str, value: Any) -> Parameter | str:
    """The parameter, or what is wrong."""
    path = tuple(key.split("."))
    if not is_known(path):
        return f"unknown key{suggestion(path)}"
    if key in _NOT_SEARCHED or path[0] in _NOT_SEARCHED:
        return "this key is not searched: set it in the recipe"
    if isinstance(value, list):
        texts = tuple(flow_text(one) for one in value)
        return Parameter(key, texts) if len(set(texts)) == len(texts) > 1 else "expected two different choices or more"
    if not isinstance(value, dict) or not {"low", "high"} <= value.keys():
        return f"expected {_FORM}, got {describe(value)}"
    if strangers := [name for name in value if name not in _RANGE]:
        return f"unknown {', '.join(map(repr, strangers))}; a range has {', '.join(_RANGE)}"
    return _range(key, value)


def _range(key: str, value: Mapping[str, Any]) -> Parameter | str:
    low, high, log, step = (value.get(name) for name in _RANGE)
    for name in ("low", "high", "step"):
        if name in value and not _is_number(value[name]):
            return f"{name}: expected a number, got {describe(value[name])}"
    if not isinstance(log, bool | None):
        return f"log: expected true or false, got {describe(log)}"
    if not value["low"] < value["high"]:
        return f"expected low < high, got {low} and {high}"
    if log and (value["low"] <= 0 or step is not None):
        return "a logarithmic range starts above 0 and has no step"
    if step is not None and (problem := _wrong_step(value["low"], value["high"], step)):
        return f"step: {problem}"
    return Parameter(key, (), value["low"], value["high"], bool(log), step)


def _wrong_step(low: float, high: float, step: float) -> str:
    whole = isinstance(low, int) and isinstance(high, int)
    if step <= 0 or (whole and step != int(step)):
        return f"expected a number above 0, whole between whole numbers, got {step}"
    if (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)):  # Optuna would leave out the upper end
        return f"expected high - low to be a whole number of steps, got {step} from {low} to {high}"
    return ""


def _is_number(value: Any) -> bool:
    """Whether it is finite, and a whole one such that Optuna, which counts in 64 bits, can draw it."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _MOST
    return isinstance(value, float) and math.isfinite(value)


def _refused(parameter: Parameter, recipe: Path, overrides: Sequence[str]) -> Iterator[str]:
    """What the recipe says to the ends of a range, or to choices."""
    for text in parameter.ends():
        try:
            load_recipe(recipe, [*overrides, f"{parameter.key}={text}"])
        except RecipeError as error:
            yield str(error)


def start_values(parameters: Sequence[Parameter], recipe: Recipe) -> dict[str, Any]:
    """The recipe's own values, by key, of those parameters that hold them: the first point to try."""
    content = recipe.model_dump(mode="json")
    found = {}
    for one in parameters:
        value: Any = content
        for part in one.key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if one.holds(value):
            found[one.key] = flow_text(value) if one.choices else value
    return found
