"""How long do exact thresholds take: ours, and a loop of scikit-learn's ``precision_recall_curve``, in one run.

::

    python benchmarks/exact_thresholds.py [--repeats 3] [--sample-columns K] [--sizes 10000x19 ...] [--labels uint8]

scikit-learn gets one class after the other and only its curve is timed, not the choice of a threshold from it; ours is
``exact_thresholds`` as it is called, checks and all, on as many cores as the process may use. The two take turns; the
numbers are medians over the repeats: seconds on the wall, and of processor time over all cores. ``ratio`` divides
scikit-learn's wall time by ours, ``cpu ratio`` the processor times. With ``--sample-columns K`` scikit-learn gets K
classes, evenly spaced, and its times are multiplied by C/K; the table says so. ``MB`` is the most memory that ours
holds beside its arguments, traced in a call of its own. That both find the same best F1 is checked on five classes.

``calibrated``: scores of a logit-normal law, one positive rate a class from 0.1 % to 30 %, labels drawn from the
scores. ``ties``: the same, rounded to three decimals.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.metrics import precision_recall_curve

from ensemble.thresholds import exact_thresholds
from ensemble.thresholds.columns import usable_cores

SIZES = ("10000x19", "100000x28", "250000x8", "500000x8", "1000000x8", "1000000x80")
Times = list[tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="NxC", help="images x classes")
    parser.add_argument("--scores", nargs="+", default=["calibrated", "ties"], choices=["calibrated", "ties"])
    parser.add_argument("--labels", default="uint8", help="the labels' numpy type, e.g. float64")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample-columns", type=int, metavar="K", help="scikit-learn gets only K classes")
    args = parser.parse_args()
    print(f"labels {args.labels}, scores float32, {usable_cores()} cores, medians of {args.repeats}; seconds")
    print(f"{'':31}{'ours':>9}{'cpu':>8}{'MB':>7}{'sklearn':>10}{'cpu':>8}{'classes':>11}{'ratio':>8}{'cpu ratio':>11}")
    for size in args.sizes:
        n_images, n_classes = (int(part) for part in size.split("x"))
        for kind in args.scores:
            labels, scores = draw(n_images, n_classes, kind)
            name = f"{n_images:>9,} x {n_classes:<3} {kind}"
            print(
                f"{name:31}{measure(labels.astype(args.labels), scores, args.repeats, args.sample_columns)}", flush=True
            )


def draw(n_images: int, n_classes: int, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    labels = np.empty((n_images, n_classes), np.uint8)
    scores = np.empty((n_images, n_classes), np.float32)
    for column, rate in enumerate(np.geomspace(0.001, 0.3, n_classes)):
        column_scores = expit(logit(rate) + 1.5 * rng.standard_normal(n_images))
        labels[:, column] = rng.random(n_images) < column_scores
        scores[:, column] = np.round(column_scores, 3) if kind == "ties" else column_scores
    return labels, scores


def measure(labels: NDArray[Any], scores: NDArray[np.float32], repeats: int, sample: int | None) -> str:
    n_classes = labels.shape[1]
    n_sampled = min(sample or n_classes, n_classes)
    columns = np.unique(np.linspace(0, n_classes - 1, n_sampled).round().astype(int)).tolist()
    ours: Times = []
    theirs: Times = []
    for _ in range(repeats):
        ours.append(timed(lambda: exact_thresholds(labels, scores)))
        theirs.append(timed(lambda: [precision_recall_curve(labels[:, one], scores[:, one]) for one in columns]))
    check_same_f1(labels, scores, columns[:: -(-len(columns) // 5)])
    (wall, cpu), (their_wall, their_cpu) = medians(ours), medians(theirs)
    scale = n_classes / len(columns)
    their_wall, their_cpu = their_wall * scale, their_cpu * scale
    who = "all" if scale == 1 else f"{len(columns)}, scaled"
    our_part = f"{wall:9.3f}{cpu:8.3f}{memory(labels, scores):7.0f}"
    return f"{our_part}{their_wall:10.3f}{their_cpu:8.3f}{who:>11}{their_wall / wall:8.1f}{their_cpu / cpu:11.1f}"


def timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def medians(times: Times) -> tuple[float, float]:
    return median(wall for wall, _ in times), median(cpu for _, cpu in times)


def memory(labels: NDArray[Any], scores: NDArray[np.float32]) -> float:
    tracemalloc.start()
    exact_thresholds(labels, scores)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def check_same_f1(labels: NDArray[Any], scores: NDArray[np.float32], columns: list[int]) -> None:
    thresholds = exact_thresholds(labels, scores)
    for column in columns:
        precision, recall, _ = precision_recall_curve(labels[:, column], scores[:, column])
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
        selected, positive = scores[:, column] >= thresholds[column], labels[:, column] == 1
        found = 2 * (selected & positive).sum() / (selected.sum() + positive.sum())
        assert abs(found - best) < 1e-9, f"class {column}: {found} by us, {best} by scikit-learn"


if __name__ == "__main__":
    main()
