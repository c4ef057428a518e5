"""A search, as a person watches it: a line a trial, a table at the end."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ensemble.search.trials import TriedTrial

_SHOWN = 5


def print_trial(console: Console, trial: TriedTrial) -> None:
    """One line."""
    console.print(_line(trial), markup=False)


def _line(trial: TriedTrial) -> str:
    value = "     –" if trial.value is None else f"{trial.value:.4f}"
    again = "" if trial.retry_of is None else f" (trial {trial.retry_of} again)"
    why = f"  {trial.problem.splitlines()[0]}" if trial.problem else ""
    settings = "  ".join(trial.overrides)
    epochs = "epoch " if trial.steps == 1 else "epochs"
    return f"trial {trial.number:>3}{again}  {trial.state:<8}  {value}  {trial.steps:>3} {epochs}  {settings}{why}"


def print_best(console: Console, trials: Sequence[TriedTrial], folder: Path, *, step: str) -> None:
    """The best trials, how the others ended, and ``step``, what to do with the result."""
    states = Counter(trial.state for trial in trials)
    counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    if not complete:
        console.print(
            f"no trial was completed ({counts or 'none was started'}); table in {folder / 'trials.csv'}", markup=False
        )
        return
    console.print(f"\nbest of {len(trials)} trials ({counts}); macro average precision on the rows that chose them:")
    for trial in sorted(complete, key=lambda one: (-(one.value or 0.0), one.number))[:_SHOWN]:
        console.print(_line(trial), markup=False)
    console.print(
        "These scores are optimistic, as they chose. What the search never saw: the rows of its --fold, and a holdout."
    )
    console.print(f"recipe  {folder / 'best.yaml'}", markup=False)
    console.print(f"table   {folder / 'trials.csv'}", markup=False)
    console.print(f"next: {step}", markup=False)


def trials_csv(trials: Sequence[TriedTrial]) -> str:
    """A row a trial: number, state, value, epochs, what it repeats, its settings, its problem."""
    keys = list(dict.fromkeys(one.partition("=")[0] for trial in trials for one in trial.overrides))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "macro_average_precision", "epochs", "retry_of", *keys, "problem"])
    for trial in trials:
        values = dict(one.split("=", 1) for one in trial.overrides)
        value = "" if trial.value is None else repr(trial.value)
        retry = "" if trial.retry_of is None else trial.retry_of
        settings = [values.get(key, "") for key in keys]
        writer.writerow([trial.number, trial.state, value, trial.steps, retry, *settings, trial.problem])
    return text.getvalue()
