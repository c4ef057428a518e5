"""What does each threshold rule reach on a whole population? Simulated tables, where that is known.

::

    python benchmarks/simulated_rules.py [--tables 100] [--kind lifelike hard] [--jobs 2] [--seed 0]

A table has 200 to 6,000 rows and 5 to 40 classes with 0.5 % to 30 % positives. Negatives of a class are scattered
around 0, positives around a distance that differs from class to class; both may be skewed or heavy-tailed; in some
tables a share of the positives looks like negatives, or the other way round; in a third of them rows come in groups
that share a part of the scatter and, mostly, the label. What a model would say if it were calibrated is then spoilt:
stretched, shifted, bent, rounded to 2-4 digits. ``hard`` spoils more of everything: heavier tails, more look-alikes,
more bends.

Rules are fitted on the table and scored on 15,000 other draws of each class. Columns as in ``fresh_halves.py``, but
here every table is drawn anew, so standard errors are over tables and hold for tables of this kind.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from fresh_halves import rule
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.metric import Metric
from ensemble.thresholds import decide

RULES = ("half", "global", "exact", "prior", "halves", "platt", "beta", "ranks", "prototype", "auto")
BANDS = ((1, 8), (8, 20), (20, 50), (50, 200), (200, 10**9))
N_FRESH = 3000
"""Fresh positives of each class; there are four times as many fresh negatives."""
METRIC = Metric("macro_f1")


@dataclass(frozen=True, eq=False)
class World:
    """Where a table comes from; everything that is one number a class has shape (C,)."""

    n_rows: int
    positive: NDArray[np.float64]
    distance: NDArray[np.float64]
    width: NDArray[np.float64]
    lost: NDArray[np.float64]
    false: NDArray[np.float64]
    tail: float
    skew: float
    shared: float | None
    slope: NDArray[np.float64]
    shift: NDArray[np.float64]
    bend: float
    digits: int | None


def draw_world(rng: np.random.Generator, kind: str) -> World:
    hard = kind == "hard"
    n_rows = int(rng.choice([200, 400, 800, 1500, 3000, 6000], p=[0.15, 0.2, 0.25, 0.2, 0.1, 0.1]))
    n = int(rng.choice([5, 6, 8, 10, 14, 20, 40], p=[0.2, 0.2, 0.15, 0.15, 0.15, 0.1, 0.05]))
    least, most = [(0.005, 0.3), (0.01, 0.1), (0.005, 0.05)][rng.integers(3)]
    positive = np.maximum(np.exp(rng.uniform(np.log(least), np.log(most), n)), 3 / n_rows)
    lost = rng.uniform(0, 0.4 if hard else 0.25) * (rng.random() < 0.5) * rng.uniform(0, 2, n)
    false = (rng.random() < 0.4) * np.exp(rng.uniform(np.log(0.0005), np.log(0.02 if hard else 0.01)))
    scatter = 0.5 if hard else 0.3
    return World(
        n_rows=n_rows,
        positive=positive,
        distance=np.maximum(0.3, rng.choice([0.8, 1.3, 2.0, 2.7, 3.5, 4.0]) * np.exp(rng.normal(0, 0.25, n))),
        width=np.exp(rng.normal(0.1, 0.2) + rng.normal(0, 0.15, n)),
        lost=np.minimum(lost, 0.5),
        false=np.minimum(np.full(n, false), positive / 2),
        tail=float(rng.choice([np.inf, 8.0, 4.0] if hard else [np.inf, np.inf, np.inf, 8.0])),
        skew=rng.normal(0, 0.15),
        shared=rng.uniform(0.2, 0.6) if rng.random() < 0.35 else None,
        slope=np.exp(rng.normal(0, 0.5) + rng.normal(0, 0.2, n)),
        shift=rng.normal() * (rng.random() < 0.6) + rng.normal(0, 0.5, n) * (rng.random() < 0.7),
        bend=np.exp(rng.normal(0, scatter)) if rng.random() < 0.5 else 1.0,
        digits=[None, None, 2, 3][rng.integers(4)] if hard else [*[None] * 6, 2, 3, 4][rng.integers(9)],
    )


def draw_scores(
    world: World, column: int, positive: NDArray[np.bool_], rng: np.random.Generator, units: NDArray | None = None
) -> NDArray[np.float64]:
    """Probabilities of rows of one class, shape (n,)."""
    n = len(positive)
    scatter = rng.normal(size=n)
    if np.isfinite(world.tail):
        scatter = rng.standard_t(world.tail, n) * np.sqrt((world.tail - 2) / world.tail)
    if units is not None:
        scatter = np.sqrt(1 - world.shared**2) * scatter + world.shared * rng.normal(size=units.max() + 1)[units]
    if abs(world.skew) > 0.02:
        scatter = np.expm1(world.skew * scatter) / world.skew
    chance = rng.random(n)
    looks_positive = np.where(positive, chance >= world.lost[column], chance < world.false[column])
    distance, prior = world.distance[column], logit(world.positive[column])
    place = np.where(looks_positive, distance + world.width[column] * scatter, scatter)
    value = distance * place - distance**2 / 2 + prior
    value = np.where(value > prior + 1, (value - prior - 1) * world.bend + prior + 1, value)
    scores = expit((world.slope[column] * value + world.shift[column]).astype(np.float32).astype(np.float64))
    return scores if world.digits is None else np.round(scores, world.digits)


def one_table(kind: str, seed: int, number: int) -> NDArray[np.float64]:
    """Shape (C, 1 + 2 rules): positives; then F1 in sample of each rule, then on the population."""
    rng = np.random.default_rng([seed, number])
    world = draw_world(rng, kind)
    n, n_classes = world.n_rows, len(world.positive)
    units = None if world.shared is None else rng.integers(0, max(20, n // 4), n)
    labels = rng.random((n, n_classes)) < world.positive
    if units is not None:
        of_unit = (rng.random((units.max() + 1, n_classes)) < world.positive)[units]
        labels = np.where(rng.random((n, n_classes)) < 0.7, of_unit, labels)
    scores = np.stack([draw_scores(world, c, labels[:, c], rng, units) for c in range(n_classes)], axis=1)
    truth, groups = labels.astype(np.float64), None if units is None else units.astype(str)
    fresh_truth = np.repeat([True, False], [N_FRESH, 4 * N_FRESH])
    fresh = np.stack([draw_scores(world, c, fresh_truth, rng) for c in range(n_classes)], axis=1)
    promise, reached = [], []
    for name in RULES:
        thresholds = rule(name, METRIC).fit(truth, scores, groups, np.random.default_rng(number))
        promise.append([METRIC.score(truth[:, [c]], decide(scores, thresholds)[:, [c]]) for c in range(n_classes)])
        found = decide(fresh, thresholds)
        hits, alarms = found[fresh_truth].mean(axis=0), found[~fresh_truth].mean(axis=0)
        share = world.positive
        reached.append(2 * share * hits / (share + share * hits + (1 - share) * alarms))
    return np.column_stack([truth.sum(axis=0), *promise, *reached])


def show(kind: str, tables: list[NDArray[np.float64]]) -> None:
    n_rules, exact, auto = len(RULES), RULES.index("exact"), RULES.index("auto")
    means = np.array([table[:, 1:].mean(axis=0) for table in tables])
    promise, fresh = means[:, :n_rules], means[:, n_rules:]
    print(f"\n{kind}: {len(tables)} tables, {sum(map(len, tables)):,} classes")
    print(f"{'':12}{'fresh':>8}{'promise':>9}{'optimism':>10}{'- exact':>10}{'s.e.':>8}{'- auto':>10}{'s.e.':>8}")
    for number, name in enumerate(RULES):
        reached = fresh[:, number].mean()
        text = f"{name:12}{reached:8.4f}{promise[:, number].mean():9.4f}{promise[:, number].mean() - reached:+10.4f}"
        for other in (exact, auto):
            gained = fresh[:, number] - fresh[:, other]
            text += f"{gained.mean():+10.4f}{gained.std(ddof=1) / len(gained) ** 0.5:8.4f}"
        print(text)
    classes = np.concatenate(tables)
    print(f"\n{'- exact, by positives':24}{'classes':>8}{''.join(f'{name:>11}' for name in RULES)}")
    for least, most in BANDS:
        rows = classes[(classes[:, 0] >= least) & (classes[:, 0] < most), 1 + n_rules :]
        label = f"{least} to {most - 1}" if most < 10**9 else f"{least} and more"
        gained = (rows - rows[:, [exact]]).mean(axis=0)
        print(f"{label:24}{len(rows):8}{''.join(f'{value:+11.4f}' for value in gained)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100, metavar="N")
    parser.add_argument("--kind", nargs="+", choices=("lifelike", "hard"), default=["lifelike", "hard"])
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for kind in args.kind:
        with ProcessPoolExecutor(args.jobs) as pool:
            show(kind, list(pool.map(partial(one_table, kind, args.seed), range(args.tables))))


if __name__ == "__main__":
    main()
