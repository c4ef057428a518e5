"""Does the honest score keep its promise? Repeated halves of real tables.

::

    python benchmarks/promise.py DIR... [--repeats 200] [--metric macro_f1] [--combine mean] [--thresholds exact]

DIR holds ``labels.csv`` (an id, then one column a class: 0, 1 or empty = not labelled), perhaps ``groups.csv`` (id,
group), and members: every other CSV directly in it with the label table's classes as columns, probabilities by id.

Half the rows (the groups, where there are any) are drawn as A, the others are B. Everything is fitted and cross-fitted
inside A (5 folds of its own), then A's blend is scored on B. Over the repeats: the mean promise (cross-fitted score on
A less score on B; the bar is 0.01) with its standard error over repeats, which share rows, so that it is somewhat too
small; how often ``test_interval95`` contains the score on B (below / above); its mean width; in-sample score less
score on B, for comparison.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from chains import named_chain
from numpy.typing import NDArray

from ensemble.blending.stack import MemberStack, stack_members
from ensemble.evaluation.chain import ChainRule, cross_fit_chain
from ensemble.evaluation.intervals import prediction_interval
from ensemble.evaluation.rows import LabelledRows
from ensemble.field_values import number_column
from ensemble.folds import stratified_group_folds
from ensemble.metric import METRIC_NAMES, Metric
from ensemble.predictions import PredictionTable
from ensemble.tables import TextTable, read_table


@dataclass(frozen=True, eq=False)
class Tables:
    """A folder, joined by id."""

    stack: MemberStack
    labels: NDArray[np.float64]
    groups: NDArray[np.str_] | None

    def half(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Shape (N,): half the groups; half the rows where there are no groups."""
        names, owners = np.unique(
            np.arange(len(self.labels)) if self.groups is None else self.groups, return_inverse=True
        )
        chosen = np.zeros(len(names), dtype=np.bool_)
        chosen[rng.permutation(len(names))[: len(names) // 2]] = True
        return chosen[owners]

    def rows(self, index: NDArray[np.bool_], seed: int) -> LabelledRows:
        """Chosen rows with 5 folds of their own."""
        labels, groups = self.labels[index], None if self.groups is None else self.groups[index]
        return LabelledRows(labels, stratified_group_folds(labels, groups, n_folds=5, seed=seed), groups)


def read_folder(folder: Path) -> Tables:
    truth = read_table(folder / "labels.csv")
    ids, classes = truth.column(truth.header[0]), tuple(truth.header[1:])
    members = {
        path.stem: PredictionTable(ids, classes, in_order(table, ids, classes).astype(np.float32), "probabilities")
        for path, table in member_tables(folder, classes)
    }
    if not members:
        raise SystemExit(f"{folder}: no CSV beside labels.csv has its columns {', '.join(classes)}")
    groups = None
    if (folder / "groups.csv").exists():
        table = read_table(folder / "groups.csv")
        of = dict(zip(*(table.column(name).tolist() for name in table.header[:2]), strict=True))
        groups = np.array([of[name] for name in ids.tolist()])
    return Tables(stack_members(members), in_order(truth, ids, classes), groups)


def member_tables(folder: Path, classes: tuple[str, ...]) -> Iterator[tuple[Path, TextTable]]:
    for path in sorted(folder.glob("*.csv")):
        if path.stem not in {"labels", "groups", "folds", "sample_submission"}:
            table = read_table(path)
            if set(classes) <= set(table.header[1:]):
                yield path, table


def in_order(table: TextTable, ids: NDArray[np.str_], classes: tuple[str, ...]) -> NDArray[np.float64]:
    place = {name: row for row, name in enumerate(table.column(table.header[0]).tolist())}
    values = np.stack([number_column(table, name) for name in classes], axis=1)
    return values[[place[name] for name in ids.tolist()]]


def repeat(tables: Tables, rule: ChainRule, metric: Metric, number: int) -> NDArray[np.float64]:
    """One division: cross-fitted score, low, high, score on B, in-sample score."""
    chosen = tables.half(np.random.default_rng([number]))
    rows, stack = tables.rows(chosen, number), tables.stack.rows(chosen)
    decisions = cross_fit_chain(rule, stack, rows=rows, seed=number).decisions
    fitted = rule.fit(stack, rows, number)
    fresh = tables.labels[~chosen]
    n_groups = None if tables.groups is None else len(np.unique(tables.groups[~chosen]))
    interval = prediction_interval(
        metric, rows.labels, decisions, groups=rows.groups, test_rows=len(fresh), test_groups=n_groups
    )
    score = metric.score(fresh, fitted.decisions(tables.stack.rows(~chosen)))
    in_sample = metric.score(rows.labels, fitted.decisions(stack))
    return np.array([interval.point, interval.low, interval.high, score, in_sample])


def line(name: str, found: NDArray[np.float64]) -> str:
    point, low, high, score, in_sample = found.T
    below, above = np.mean(score < low), np.mean(score > high)
    gap, optimism, width = (one.mean() for one in (point - score, in_sample - score, high - low))
    error = np.std(point - score) / np.sqrt(len(found))
    return (
        f"{name:24}{point.mean():9.3f}{score.mean():9.3f}{gap:+9.4f} ±{error:.4f}{optimism:+11.4f}"
        f"{1 - below - above:9.3f} ({below:.2f}/{above:.2f}){width:8.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2))
    parser.add_argument("--metric", default="macro_f1", choices=METRIC_NAMES)
    parser.add_argument("--combine", default="mean", help="the rule, by its name")
    parser.add_argument("--thresholds", default="exact", help="the rule, by its name")
    args = parser.parse_args()
    metric = Metric(args.metric)
    rule = named_chain(args.combine, args.thresholds, metric)
    print(f"{'':24}{'promised':>9}{'on B':>9}{'promise less B':>17}{'in sample':>11}{'covered':>21}{'width':>9}")
    for folder in args.folders:
        tables = read_folder(folder)
        with Pool(args.jobs) as pool:
            found = pool.map(partial(repeat, tables, rule, metric), range(args.repeats), chunksize=5)
        print(line(folder.name, np.array(found)), flush=True)


if __name__ == "__main__":
    main()
