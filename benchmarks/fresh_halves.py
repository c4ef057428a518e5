"""What do thresholds and combinations reach on rows that they were not fitted on?

::

    python benchmarks/fresh_halves.py DIR... [--repeats 20] [--ways mean+exact mean+auto ...] [--jobs 2]

DIR holds ``labels.csv`` (an id and one column a class: 0, 1 or empty = not labelled) and, if rows belong together,
``groups.csv`` (the id and the group). Every other CSV with all of the label columns is a member: probabilities, same
ids.

Every way, written ``combination+rule``, is fitted on a random half of the rows (of the groups where there are groups)
and scored on the other half; then the other way round. This is repeated, and every way sees the same halves. Columns:

- *fresh*: the mean score on the halves that were not fitted on. What one gets.
- *promise*: the mean score on the halves that were fitted on. What one is told without cross-fitting.
- *optimism*: promise - fresh.
- *- exact*, *- auto*: the mean paired difference in fresh score to ``mean+exact`` and to ``mean+auto``, with its
  standard error over repeats (both directions of a repeat count as one). It says how well the mean over divisions of
  *these* rows is known, not how another sample of rows would have come out.

Combinations: ``best`` (the member with the best score at 0.5 on the fitting half), ``mean``, ``auto``, and those of
``ensemble.blending.combination_rule``. Rules: those of ``ensemble.thresholds.threshold_rule`` (``half`` is ``fixed``,
at 0.5), and ``prototype``, the average of three rules that ``auto`` grew out of.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble import blending
from ensemble.blending.combine import mean_of_probabilities, uniform_weights
from ensemble.blending.rules import Combination, CombinationRule
from ensemble.blending.stack import MemberStack, stack_members
from ensemble.errors import DataError, EnsembleError, first_few
from ensemble.evaluation import AutoChain, LabelledRows
from ensemble.field_values import number_column
from ensemble.folds import stratified_group_folds
from ensemble.metric import METRIC_NAMES, Metric
from ensemble.predictions import PredictionTable
from ensemble.tables import read_table
from ensemble.thresholds import (
    AveragedThresholds,
    HalvesThresholds,
    Part,
    PlugInThresholds,
    PriorThresholds,
    ThresholdRule,
    decide,
    threshold_rule,
)

EXACT, AUTO = "mean+exact", "mean+auto"
MEAN_WITH = ("half", "global", "exact", "prior", "halves", "platt", "beta", "ranks", "prototype", "auto")
WAYS = ("best+half", *(f"mean+{name}" for name in MEAN_WITH))
HEAD = f"{'':24}{'fresh':>8}{'promise':>9}{'optimism':>10}{'- exact':>10}{'s.e.':>8}{'- auto':>10}{'s.e.':>8}"


@dataclass(frozen=True, eq=False)
class Table:
    """A folder of tables."""

    name: str
    labels: NDArray[np.float64]
    groups: NDArray[np.str_] | None
    stack: MemberStack


@dataclass(frozen=True, eq=False)
class Fixed:
    """Given weights."""

    weights: NDArray[np.float64]
    name: str = "mean"
    class_weights: None = None

    def __call__(self, stack: MemberStack) -> NDArray[np.float32]:
        """Logits of the weighted mean of probabilities."""
        ids, names = np.arange(len(stack)).astype(str), tuple(map(str, range(stack.logits.shape[2])))
        tables = [PredictionTable(ids, names, logits) for logits in stack.logits]
        return mean_of_probabilities(tables, self.weights).values


@dataclass(frozen=True)
class Mean:
    """All members alike."""

    name: str = "mean"

    def fit(self, stack: MemberStack, *_: object) -> Combination:
        """Nothing to choose."""
        return Fixed(uniform_weights(len(stack.names)))


@dataclass(frozen=True)
class Best:
    """The one member with the best score at 0.5."""

    metric: Metric
    name: str = "best"

    def fit(self, stack: MemberStack, labels: NDArray[np.float64], *_: object) -> Combination:
        """Compare the members."""
        scores = [self.metric.score(labels, logits >= 0) for logits in stack.logits]
        return Fixed(np.eye(len(scores))[int(np.argmax(scores))])


@dataclass(frozen=True)
class Auto:
    """What ``blend`` chooses inside the fitting half, with 5 folds of its own and the thresholds ``auto``."""

    metric: Metric
    name: str = "auto"

    def fit(
        self, stack: MemberStack, labels: NDArray[np.float64], groups: NDArray[np.str_] | None, rng: np.random.Generator
    ) -> Combination:
        """Choose, cross-fitted."""
        seed = int(rng.integers(2**31))
        folds = stratified_group_folds(labels, groups, n_folds=5, seed=seed)
        chain = AutoChain(threshold_rule("auto", metric=self.metric), metric=self.metric)
        return chain.fit(stack, LabelledRows(labels, folds, groups), seed).combination


def combination(name: str, metric: Metric) -> CombinationRule:
    ours = {"mean": Mean(), "best": Best(metric), "auto": Auto(metric)}
    return ours[name] if name in ours else blending.combination_rule(name, metric=metric)


def rule(name: str, metric: Metric) -> ThresholdRule:
    if name == "prototype":
        beta = metric.beta
        halves = Part(HalvesThresholds(repeats=1, beta=beta), per_positives=25.0)
        parts = (halves, Part(PlugInThresholds("platt", beta=beta)), Part(PriorThresholds()))
        return AveragedThresholds(parts, "arithmetic")
    return threshold_rule("fixed" if name == "half" else name, metric=metric)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=20, metavar="R")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), metavar="COMBINATION+RULE")
    parser.add_argument("--metric", choices=METRIC_NAMES, default="macro_f1")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        study(args.folders, ways=args.ways, metric=Metric(args.metric), args=args)
    except EnsembleError as error:
        raise SystemExit(f"fresh_halves: {error}") from error


def study(folders: Sequence[Path], *, ways: Sequence[str], metric: Metric, args: argparse.Namespace) -> None:
    asked = list(dict.fromkeys([*ways, EXACT, AUTO]))
    if wrong := [way for way in asked if way.count("+") != 1]:
        raise DataError(f"expected ways such as {AUTO}, got {first_few(wrong)}")
    everything = []
    for folder in folders:
        start = time.perf_counter()
        table = read_folder(folder)
        with ProcessPoolExecutor(args.jobs) as pool:
            one = partial(one_repeat, table, asked, metric, args.seed)
            scores = np.array(list(pool.map(one, range(args.repeats))))
        everything.append(scores)
        rows, classes = table.labels.shape
        of_groups = f" in {len(np.unique(table.groups)):,} groups" if table.groups is not None else ""
        shape = f"{len(table.stack.names)} members, {rows:,} rows{of_groups}, {classes} classes"
        show(f"{table.name}: {shape}", asked, scores, time.perf_counter() - start)
    if len(folders) > 1:
        show(f"mean of {len(folders)} tables", asked, np.mean(everything, axis=0))


def show(title: str, ways: Sequence[str], scores: NDArray[np.float64], seconds: float | None = None) -> None:
    """Print the table of R repeats; ``scores`` has shape (R, ways, 2): promise and fresh."""
    took = "" if seconds is None else f", {seconds:.0f} s"
    print(f"\n{title}; {len(scores)} repeats{took}\n{HEAD}")
    fresh = scores[:, :, 1]
    for number, way in enumerate(ways):
        promise, reached = scores[:, number].mean(axis=0)
        text = f"{way:24}{reached:8.4f}{promise:9.4f}{promise - reached:+10.4f}"
        for other in (EXACT, AUTO):
            gained = fresh[:, number] - fresh[:, ways.index(other)]
            error = gained.std(ddof=1) / len(gained) ** 0.5 if len(gained) > 1 else float("nan")
            text += f"{gained.mean():+10.4f}{error:8.4f}" if way != other else f"{'':>18}"
        print(text.rstrip(), flush=True)


def one_repeat(table: Table, ways: Sequence[str], metric: Metric, seed: int, repeat: int) -> NDArray[np.float64]:
    """Shape (ways, 2): promise and fresh, each the mean of both directions."""
    rng = np.random.default_rng([seed, repeat])
    half = random_half(len(table.labels), table.groups, rng)
    directions = [one_direction(table, fitting, ways, metric=metric, seed=repeat) for fitting in (half, ~half)]
    return np.mean(directions, axis=0)


def random_half(n_rows: int, groups: NDArray[np.str_] | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    codes = np.arange(n_rows) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    chosen = rng.permutation(codes.max() + 1) % 2 == 0
    return chosen[codes]


def one_direction(
    table: Table, fitting: NDArray[np.bool_], ways: Sequence[str], *, metric: Metric, seed: int
) -> list[tuple[float, float]]:
    parts = [table.stack.rows(fitting), table.stack.rows(~fitting)]
    truths = [table.labels[fitting], table.labels[~fitting]]
    groups = None if table.groups is None else table.groups[fitting]
    blends: dict[str, list[NDArray[np.float64]]] = {}
    scores = []
    for combine, name in (way.split("+") for way in ways):
        if combine not in blends:
            fitted = combination(combine, metric).fit(parts[0], truths[0], groups, np.random.default_rng(seed))
            blends[combine] = [expit(fitted(part).astype(np.float64)) for part in parts]
        thresholds = rule(name, metric).fit(truths[0], blends[combine][0], groups, np.random.default_rng(seed))
        pairs = zip(truths, blends[combine], strict=True)
        promise, fresh = (metric.score(truth, decide(blend, thresholds)) for truth, blend in pairs)
        scores.append((promise, fresh))
    return scores


def read_folder(folder: Path) -> Table:
    labels = read_table(folder / "labels.csv")
    key, *classes = labels.header
    ids = labels.column(key)
    truth = np.stack([number_column(labels, name) for name in classes], axis=1)
    members = dict(read_members(folder, classes, ids))
    if not members:
        raise DataError(f"{folder}: no CSV beside labels.csv has the columns {first_few(classes, 20)}")
    groups = None
    if (folder / "groups.csv").exists():
        table = read_table(folder / "groups.csv")
        groups = table.column(table.header[1])[places_of(ids, table.column(table.header[0]), folder / "groups.csv")]
    return Table(folder.resolve().name, truth, groups, stack_members(members))


def read_members(folder: Path, classes: Sequence[str], ids: NDArray[np.str_]) -> Iterator[tuple[str, PredictionTable]]:
    for path in sorted(folder.glob("*.csv")):
        table = read_table(path)
        if path.name in ("labels.csv", "groups.csv") or not set(classes) <= set(table.header):
            continue
        order = places_of(ids, table.column(table.header[0]), path)
        values = np.stack([number_column(table, name)[order] for name in classes], axis=1)
        yield path.stem, PredictionTable(ids, tuple(classes), values.astype(np.float32), "probabilities")


def places_of(ids: NDArray[np.str_], keys: NDArray[np.str_], path: Path) -> NDArray[np.intp]:
    """Where each of ``ids`` is in ``keys``."""
    places = {key: place for place, key in enumerate(keys.tolist())}
    if missing := [name for name in ids.tolist() if name not in places]:
        raise DataError(f"{path}: expected a row for every id of labels.csv, missing are {first_few(missing)}")
    return np.array([places[name] for name in ids.tolist()])


if __name__ == "__main__":
    main()
