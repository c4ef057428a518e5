"""Do the intervals of the honest score hold what they say? Simulation where the truth is known.

::

    python benchmarks/coverage.py [SCENARIO...] [--sets 200] [--jobs 2] [--metric macro_f1] [--thresholds exact]
                                 [--combine mean]

Of each scenario many data sets are drawn, each is cross-fitted, and the chain is fitted once more on all of it. Then

- ``cross_fitted_ci95`` should contain the score of that final chain on the population: 1,000,000 fresh rows;
- ``test_interval95`` should contain its score on fresh test rows, as many as the training rows and a fifth of them, of
  fresh groups;
- ``f1_ci95`` of each class should contain its F1 on the population (macro-F1 only).

Shown is the share of data sets in which they do, in brackets how often the truth is below / above, then the mean
width; "promise" is the mean of cross-fitted score less truth. The last columns are what a percentile bootstrap (the
same decisions, groups drawn with replacement) would have covered.

The scenarios are described in ``known_truth.py``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from chains import named_chain
from known_truth import Population, population, scenarios
from numpy.typing import NDArray

from ensemble.evaluation.chain import FittedChain, cross_fit_chain
from ensemble.evaluation.intervals import f1_intervals, population_interval, prediction_interval
from ensemble.evaluation.ratios import sums_by_group
from ensemble.evaluation.rows import LabelledRows
from ensemble.folds import stratified_group_folds
from ensemble.metric import METRIC_NAMES, Metric
from ensemble.metrics import class_f1
from ensemble.results import Interval

SCORE, CLASS, BOOTSTRAP = "cross_fitted_ci95", "f1_ci95", "percentile bootstrap"
TESTS = {1.0: "test, as many rows", 0.2: "test, a fifth"}
COLUMNS = (SCORE, CLASS, *TESTS.values(), BOOTSTRAP)


class Study:
    """One scenario; ``found``: intervals and what each should contain, by column."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name, self.args = name, args
        self.scenario, self.metric = scenarios()[name], Metric(args.metric)
        self.rule = named_chain(args.combine, args.thresholds, self.metric)
        self.found: dict[str, list[tuple[Interval, float]]] = defaultdict(list)
        self.population: Population | None = None

    def add(self, number: int) -> None:
        """Draw a data set, fit, cross-fit, and look."""
        rng = np.random.default_rng([self.args.seed, 2, number])
        groups = self.scenario.groups(1.0, rng)
        drawn = self.scenario.draw(self.scenario.n_rows, groups, rng)
        folds = stratified_group_folds(drawn.labels, groups, n_folds=5, seed=self.args.seed)
        rows = LabelledRows(drawn.labels, folds, None if groups is None else groups.astype(np.str_))
        decisions = cross_fit_chain(self.rule, drawn.stack, rows=rows, seed=self.args.seed).decisions
        fitted = self.rule.fit(drawn.stack, rows, self.args.seed)
        if self.population is None or self.args.combine != "mean":  # what is fitted differs from one set to the next
            self.population = population(self.scenario, fitted, self.args.seed)
        truth = self.population.score(self.metric, fitted.thresholds)
        interval = population_interval(self.metric, rows.labels, decisions, groups=groups)
        self.found[SCORE].append((interval, truth))
        self.found[BOOTSTRAP].append((percentile_bootstrap(self.metric, rows, decisions, rng=rng), truth))
        self.add_tests(rows, decisions, fitted, rng)
        if self.metric == Metric():
            self.add_classes(rows, decisions, self.population.cells(fitted.thresholds))

    def add_tests(
        self, rows: LabelledRows, decisions: NDArray[np.bool_], fitted: FittedChain, rng: np.random.Generator
    ) -> None:
        """The final chain on test rows of fresh groups."""
        for share, column in TESTS.items():
            test = self.scenario.draw(round(share * self.scenario.n_rows), self.scenario.groups(share, rng), rng)
            interval = prediction_interval(
                self.metric, rows.labels, decisions, groups=rows.groups, test_rows=len(test.labels)
            )
            self.found[column].append((interval, self.metric.score(test.labels, fitted.decisions(test.stack))))

    def add_classes(self, rows: LabelledRows, decisions: NDArray[np.bool_], cells: NDArray[np.float64]) -> None:
        """F1 of each class; ``cells``: the final chain's counts on the population."""
        truth = 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2])
        limits = f1_intervals(rows.labels, decisions, groups=rows.groups)
        for point, (low, high), value in zip(class_f1(rows.labels, decisions), limits, truth, strict=True):
            self.found[CLASS].append((Interval(point, low, high), value))

    def line(self) -> str:
        """A row of the table."""
        promise = np.mean([interval.point - value for interval, value in self.found[SCORE]])
        return f"{self.name:26}{promise:+8.3f}" + "".join(f"{shown(self.found[column]):>26}" for column in COLUMNS)


def shown(found: list[tuple[Interval, float]]) -> str:
    if not found:
        return "-"
    low, high, value = np.array([(interval.low, interval.high, value) for interval, value in found]).T
    below, above = np.mean(value < low), np.mean(value > high)
    return f"{1 - below - above:.3f} ({below:.2f}/{above:.2f}) {np.mean(high - low):.3f}"


def percentile_bootstrap(
    metric: Metric, rows: LabelledRows, decisions: NDArray[np.bool_], *, rng: np.random.Generator, n: int = 1000
) -> Interval:
    units = sums_by_group(metric.row_statistics(rows.labels, decisions), rows.groups)
    distinct, counts = np.unique(units, axis=0, return_counts=True)
    drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=n) @ distinct
    low, high = np.quantile(metric.from_totals(drawn), [0.025, 0.975])
    return Interval(metric.score(rows.labels, decisions), low, high)


def study(name: str, args: argparse.Namespace) -> str:
    one = Study(name, args)
    for number in range(args.sets):
        one.add(number)
    return one.line()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help='e.g. "iid, 5"; default: all')
    parser.add_argument("--sets", type=int, default=200, help="data sets of each scenario")
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2))
    parser.add_argument("--metric", default="macro_f1", choices=METRIC_NAMES)
    parser.add_argument("--thresholds", default="exact", help="the rule, by its name")
    parser.add_argument("--combine", default="mean", help="how members are combined, by its name")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    names = args.scenarios or list(scenarios())
    if unknown := set(names) - set(scenarios()):
        parser.error(f"no scenario is called {sorted(unknown)}; there are: {'; '.join(scenarios())}")
    print(f"{'':26}{'promise':>8}" + "".join(f"{column:>26}" for column in COLUMNS), flush=True)
    with ProcessPoolExecutor(args.jobs) as pool:
        for text in pool.map(study, names, [args] * len(names)):
            print(text, flush=True)


if __name__ == "__main__":
    main()
