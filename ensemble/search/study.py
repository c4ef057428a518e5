"""Searching a recipe's settings: several processes share one study, and none of its trials is lost or done twice.

A trial whose process has ended is failed and queued again with the same settings, by whichever process comes next. All
that decides about this happens under one lock file; where processes on other machines do not see it, the storage still
lets only one of them fail a trial.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ensemble.errors import ArtefactError, EnsembleError, StorageError, Unfinished, WorkerDied
from ensemble.files import locked
from ensemble.memory import lack_of_memory
from ensemble.recipe.space import Parameter
from ensemble.search.owners import OWNER, SEEN, is_gone, signs_of_life, this_process
from ensemble.search.storage import open_storage, without_password
from ensemble.search.trials import (
    EXCUSED,
    LOST,
    OVERRIDES,
    PROBLEM,
    RETRY_OF,
    Objective,
    Pruned,
    StudyWish,
    Trial,
    TriedTrial,
    make_pruner,
    suggested_value,
    tried_trial,
)
from ensemble.seeds import derive_seed

if TYPE_CHECKING:
    import optuna

TUNING_VERSION = 1
"""Of what a study holds: parameters named after recipe keys, and the attributes below."""

_FACTS = "facts"
_MOST_REPETITIONS = 3  # of a trial whose process was killed, which its settings may be the reason of


class SharedStudy:
    """A study in its storage; other processes may work on it at the same time."""

    def __init__(self, wish: StudyWish, parameters: Sequence[Parameter], start: Mapping[str, Any]) -> None:
        """Open the study, or make it.

        Args:
            wish: Which one.
            parameters: What is searched.
            start: Values of the first trial, by key; those that are missing are drawn.

        Raises:
            ArtefactError: The study is of another recipe, space, dataset or fold.
            DataError: The storage cannot be opened.
        """
        import optuna  # noqa: PLC0415 - costs half a second

        self._wish, self._parameters = wish, parameters
        self._storage = open_storage(wish.storage)
        with locked(wish.lock, wait=True):
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=wish.name,
                direction="maximize",
                pruner=make_pruner(wish),
                load_if_exists=True,
            )
            self._check_facts()
            if not self._study.get_trials(deepcopy=False) and start:
                self._study.enqueue_trial(dict(start))

    def _check_facts(self) -> None:
        stored, facts = self._study.user_attrs, {"version": TUNING_VERSION, **self._wish.facts}
        where = f"{without_password(self._wish.storage)}: study {self._wish.name!r}"
        if _FACTS not in stored:
            if self._study.get_trials(deepcopy=False):
                raise ArtefactError(f"{where} was not made by python -m ensemble.tune. Give another --study")
            self._study.set_user_attr(_FACTS, facts)
        elif differing := [name for name, value in facts.items() if stored[_FACTS].get(name) != value]:
            raise ArtefactError(
                f"{where} was started with another {', '.join(differing)}. Give another --study, or go on as it was "
                "started"
            )

    def work(self, objective: Objective, told: Callable[[TriedTrial], None] = lambda _trial: None) -> None:
        """Try points until the study has as many as are wanted.

        Args:
            objective: What is to be high. An ``EnsembleError`` or too little memory fails the trial, not the search.
            told: Called after each of our trials.

        Raises:
            Unfinished: The objective was asked to stop; its trial is queued again, and so with the next two.
            StorageError: Something cannot be written.
            WorkerDied: A data worker was killed.
        """
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415

        while (trial := self._next()) is not None:
            with signs_of_life(partial(trial.set_user_attr, SEEN)):
                state, value, problem = self._try(trial, objective)
            with suppress(ValueError, UpdateFinishedTrialError):  # taken for dead: the point is tried again
                if problem:
                    trial.set_user_attr(PROBLEM, problem)
                self._study.tell(trial, value, state=state)
            told(next(one for one in self.trials() if one.number == trial.number))

    def _try(self, trial: optuna.Trial, objective: Objective) -> tuple[optuna.trial.TrialState, float | None, str]:
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415
        from optuna.trial import TrialState  # noqa: PLC0415

        overrides = tuple(f"{one.key}={suggested_value(trial, one)}" for one in self._parameters)
        trial.set_user_attr(OVERRIDES, list(overrides))

        def report(step: int, value: float) -> None:
            trial.report(value, step)
            if self._wish.pruner != "none" and trial.should_prune():
                raise Pruned

        try:
            origin = int(trial.user_attrs.get("origin", trial.number))
            value = objective(Trial(trial.number, origin, overrides, report))
        except Pruned:
            return TrialState.PRUNED, None, ""
        except (Unfinished, StorageError, WorkerDied, KeyboardInterrupt) as error:
            self._give_back(trial.number, excused=not isinstance(error, WorkerDied))
            raise
        except EnsembleError as error:
            return TrialState.FAIL, None, str(error)
        except UpdateFinishedTrialError:
            return TrialState.FAIL, None, ""
        except (RuntimeError, MemoryError) as error:
            if not (lack := lack_of_memory(error)):
                raise
            return TrialState.FAIL, None, f"there is too little memory ({lack})"
        if value != value:  # noqa: PLR0124 - NaN
            return TrialState.FAIL, None, "the objective is not a number"
        return TrialState.COMPLETE, value, ""

    def _next(self) -> optuna.Trial | None:
        """Take a point, under the lock: a queued one, or a new one if there are not enough yet."""
        import optuna  # noqa: PLC0415

        with locked(self._wish.lock, wait=True):
            self._recover()
            trials = self._study.get_trials(deepcopy=False)
            repeated = {one.user_attrs.get(RETRY_OF) for one in trials}
            counted = sum(one.number not in repeated for one in trials)
            queued = any(one.state == optuna.trial.TrialState.WAITING for one in trials)
            if counted >= self._wish.trials and not queued:
                return None
            # A seed for each trial: processes with the same one would draw the same points.
            self._study.sampler = optuna.samplers.TPESampler(
                seed=derive_seed(self._wish.seed, "trial", len(trials)) % 2**32,
                n_startup_trials=max(3, min(10, self._wish.trials // 4)),
                constant_liar=True,
            )
            trial = self._study.ask()
            trial.set_user_attr(OWNER, this_process())
            trial.set_user_attr(SEEN, time.time())
            return trial

    def _give_back(self, number: int, *, excused: bool) -> None:
        """Our own trial is lost: another process, or the next call, repeats it."""
        with locked(self._wish.lock, wait=True):
            self._lose(number, excused=excused)
            self._requeue()

    def _recover(self) -> None:
        """Find trials whose processes have ended."""
        from optuna.trial import TrialState  # noqa: PLC0415

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            started = time.time() if trial.datetime_start is None else trial.datetime_start.timestamp()
            if is_gone(trial.user_attrs, started_at=started, silence_seconds=self._wish.silence_seconds):
                self._lose(trial.number)
        self._requeue()

    def _lose(self, number: int, *, excused: bool = False) -> None:
        from optuna.exceptions import UpdateFinishedTrialError  # noqa: PLC0415
        from optuna.trial import TrialState  # noqa: PLC0415

        study_id = self._storage.get_study_id_from_name(self._wish.name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        with suppress(UpdateFinishedTrialError):  # another machine was faster
            self._storage.set_trial_user_attr(trial_id, LOST, True)  # noqa: FBT003
            self._storage.set_trial_user_attr(trial_id, EXCUSED, excused)
            self._storage.set_trial_state_values(trial_id, state=TrialState.FAIL)

    def _requeue(self) -> None:
        """Queue what was lost and is not queued yet: a process may have ended between the two."""
        trials = self._study.get_trials(deepcopy=False)
        repeated = {one.user_attrs.get(RETRY_OF) for one in trials}
        for trial in trials:
            attempt = int(trial.user_attrs.get("attempt", 1))
            attempt_after = attempt if trial.user_attrs.get(EXCUSED, False) else attempt + 1
            lost = trial.user_attrs.get(LOST, False) and trial.state.name == "FAIL"
            if lost and trial.number not in repeated and attempt_after <= 1 + _MOST_REPETITIONS:
                origin = trial.user_attrs.get("origin", trial.number)
                attributes = {RETRY_OF: trial.number, "origin": origin, "attempt": attempt_after}
                params = trial.params or trial.system_attrs.get("fixed_params", {})
                self._study.enqueue_trial(params, user_attrs=attributes)

    def trials(self) -> list[TriedTrial]:
        """All trials so far, in their order."""
        return [tried_trial(one) for one in self._study.get_trials(deepcopy=False)]
