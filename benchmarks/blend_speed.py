"""How long ``auto`` takes: choosing how to combine members, thresholds, and the honest score of all of it.

::

    python benchmarks/blend_speed.py [--shapes 12x12000x3 20x100000x14] [--folds 5]

A shape is members x rows x classes. Tables are simulated: each member sees the true logits with noise of its own, one
member in four sees nothing; classes have 1 % to 20 % positives. ``wall`` and ``CPU`` are seconds of ``AutoChain.fit``
on all rows ("fit") and of that and ``cross_fit_chain`` together ("in all"); a machine that does other things at the
same time shows in ``wall``, not in ``CPU``. ``peak`` is the most memory that the process ever held, ``before`` what it
held when the tables were made. Every shape runs in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending import MemberStack
from ensemble.evaluation import AutoChain, LabelledRows, cross_fit_chain
from ensemble.metric import Metric
from ensemble.thresholds import ExactThresholds

HEAD = ("members", "rows", "classes", "fit wall", "fit CPU", "all wall", "all CPU", "before", "peak MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["12x12000x3", "20x100000x14"], metavar="MxNxC")
    parser.add_argument("--folds", type=int, default=5, metavar="K")
    args = parser.parse_args()
    print("".join(f"{name:>10}" for name in HEAD) + "  combined by   cross-fitted macro-F1")
    for text in args.shapes:
        members, rows, classes = (int(part) for part in text.split("x"))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(measure, (members, rows, classes, args.folds)), flush=True)


def measure(members: int, n_rows: int, n_classes: int, n_folds: int) -> str:
    stack, labels = simulate(members, n_rows, n_classes)
    rows = LabelledRows(labels, (np.arange(n_rows) % n_folds).astype(np.int16))
    before, started = peak_mib(), clock()
    chain = AutoChain(ExactThresholds())
    fitted = chain.fit(stack, rows, 0)
    fit = clock() - started
    decisions = cross_fit_chain(chain, stack, rows=rows).decisions
    whole = clock() - started
    numbers = (f"{value:10.1f}" for value in (*fit, *whole))
    shape = f"{members:10}{n_rows:10}{n_classes:10}"
    memory = f"{before:10.0f}{peak_mib():10.0f}"
    score = Metric().score(labels, decisions)
    return f"{shape}{''.join(numbers)}{memory}  {fitted.combination.name:12}  {score:.4f}"


def clock() -> NDArray[np.float64]:
    """Wall and CPU seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def simulate(members: int, n_rows: int, n_classes: int) -> tuple[MemberStack, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    level = np.linspace(-6.5, -2.2, n_classes)
    truth = rng.normal(level, 2.0, (n_rows, n_classes))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.float64)
    logits = np.empty((members, n_rows, n_classes), np.float32)
    for member in range(members):
        if member % 4 == 3:
            logits[member] = rng.normal(level, 1.0, truth.shape)
        else:
            logits[member] = truth + rng.normal(0.0, 0.5 + member / members, truth.shape)
    return MemberStack(tuple(f"member {number}" for number in range(members)), logits), labels


if __name__ == "__main__":
    main()
