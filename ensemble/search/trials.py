"""A study's wishes and its trials, as this package and as Optuna have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensemble.recipe.space import Parameter
from ensemble.yaml_text import flow_text

if TYPE_CHECKING:
    import optuna

LOST, EXCUSED, RETRY_OF, PROBLEM, OVERRIDES = "lost", "excused", "retry_of", "problem", "overrides"
"""Attributes of a trial in its storage. An excused one was lost without any doubt about its settings."""

Pruner = Literal["median", "hyperband", "none"]


class Pruned(Exception):  # noqa: N818 - an event
    """A trial is not worth going on with."""


@dataclass(frozen=True)
class StudyWish:
    """A study, and how far it is to go.

    Attributes:
        name: As ``optuna-dashboard`` shows it.
        storage: A journal's path, or a database's URL.
        lock: The file that processes lock while they take a trial.
        trials: How many there are to be in all, those of other processes included.
        seed: The only source of chance.
        pruner: What stops trials early.
        most_steps: Steps that a trial reports at most.
        facts: What all who take part must agree on, e.g. the recipe's hash.
        silence_seconds: After how long without a sign a process elsewhere counts as ended.
    """

    name: str
    storage: str
    lock: Path
    trials: int
    seed: int
    pruner: Pruner = "median"
    most_steps: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    silence_seconds: float = 300.0


@dataclass(frozen=True)
class Trial:
    """One point to try.

    Attributes:
        number: In the study.
        origin: The first trial of these settings, of which this one is a repetition after that was lost.
        overrides: ``key=value`` for each parameter.
        report: To be called with a step, from 1, and the value there; raises ``Pruned``.
    """

    number: int
    origin: int
    overrides: tuple[str, ...]
    report: Callable[[int, float], None]


@dataclass(frozen=True)
class TriedTrial:
    """A trial of a study, of whichever process.

    Attributes:
        state: ``complete``, ``pruned``, ``failed``, ``lost`` (and queued again), ``running`` or ``waiting``.
        value: Of the objective; the last report where it was pruned; None without any.
        overrides: As tried.
        problem: Why it failed, in words.
        retry_of: The trial that was lost and that this one repeats.
    """

    number: int
    state: str
    value: float | None
    steps: int
    overrides: tuple[str, ...]
    problem: str = ""
    retry_of: int | None = None


Objective = Callable[[Trial], float]


def suggested_value(trial: optuna.Trial, one: Parameter) -> str:
    """The value that Optuna draws for a parameter, in YAML."""
    if one.choices:
        return str(trial.suggest_categorical(one.key, list(one.choices)))
    if isinstance(one.low, int) and isinstance(one.high, int):
        step = 1 if one.step is None else int(one.step)
        return flow_text(trial.suggest_int(one.key, one.low, one.high, step=step, log=one.log))
    return flow_text(trial.suggest_float(one.key, one.low, one.high, step=one.step, log=one.log))


def make_pruner(wish: StudyWish) -> optuna.pruners.BasePruner:
    """What stops trials of a study early."""
    import optuna  # noqa: PLC0415

    if wish.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(2, wish.most_steps))
    if wish.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, wish.most_steps // 4))
    return optuna.pruners.NopPruner()


def tried_trial(trial: optuna.trial.FrozenTrial) -> TriedTrial:
    """A trial of Optuna's, in our words."""
    attributes, reports = trial.user_attrs, trial.intermediate_values
    state = {"FAIL": "lost" if attributes.get(LOST) else "failed"}.get(trial.state.name, trial.state.name.lower())
    value = trial.value if trial.state.name == "COMPLETE" else reports[max(reports)] if reports else None
    overrides = tuple(attributes.get(OVERRIDES, ()))
    problem, retry_of = str(attributes.get(PROBLEM, "")), attributes.get(RETRY_OF)
    return TriedTrial(trial.number, state, value, len(reports), overrides, problem, retry_of)
