"""Does it pay to choose how members are combined: rules and ``auto`` against the plain mean, on simulated tables.

::

    python benchmarks/combining.py [--rows 600] [--repeats 30]

Each repeat draws rows of four classes with 2 % to 19 % positives, fits every chain (with exact thresholds; ``auto``
with five folds) on N of them, and scores it on 40,000 fresh ones. Shown is macro-F1 above the plain mean's, with the
standard error over repeats. All members share an error; each has one of its own, of the size given by its kind.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.blending import MemberStack, combination_rule
from ensemble.evaluation import AUTO, AutoChain, Chain, FittedChain, LabelledRows
from ensemble.metric import Metric
from ensemble.thresholds import ExactThresholds

JUNK = float("inf")
GRADED = [0.3, 0.5, 0.8, 1.2, 1.8, 2.5]
KINDS: dict[str, tuple[list[float], list[float]]] = {
    "5 alike": ([0.6] * 5, [1.0] * 5),
    "5 alike, too sure": ([0.6] * 5, [2.5] * 5),
    "6, good to weak": (GRADED, [1.0] * 6),
    "6 on different scales": (GRADED, [1.0, 2.5, 0.4, 1.0, 2.0, 0.5]),
    "4 good, 1 junk": ([JUNK, 0.4, 0.5, 0.6, 0.7], [1.0] * 5),
    "2 good, 8 junk": ([JUNK] * 8 + [0.4, 0.6], [1.0] * 10),
}
"""Members by the size of their own error, and what their logits are multiplied by."""
METRIC = Metric()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600, metavar="N")
    parser.add_argument("--repeats", type=int, default=30, metavar="R")
    args = parser.parse_args()
    print(f"{'members':24}{'mean':>7}" + "".join(f"{name:>18}" for name in (*AUTO[1:], "auto")) + "  auto chose")
    for kind, (noises, scales) in KINDS.items():
        scores, chosen = [], Counter[str]()
        for repeat in range(args.repeats):
            found, name = one_repeat(noises, scales, n_rows=args.rows, seed=repeat)
            scores.append(found)
            chosen[name] += 1
        table = np.array(scores)
        gains = table[:, 1:] - table[:, :1]
        errors = gains.std(axis=0, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.full(gains.shape[1], np.nan)
        cells = (f"{gain:+9.4f} ±{error:7.4f}" for gain, error in zip(gains.mean(axis=0), errors, strict=True))
        names = ", ".join(f"{name} {count}" for name, count in chosen.most_common())
        print(f"{kind:24}{table[:, 0].mean():7.3f}{''.join(cells)}  {names}", flush=True)


def one_repeat(noises: list[float], scales: list[float], *, n_rows: int, seed: int) -> tuple[list[float], str]:
    """Fresh scores of the combinations of ``AUTO`` and of auto, and what auto chose."""
    stack, labels = simulate(noises, scales, n_rows, seed)
    fresh, truth = simulate(noises, scales, 40_000, 10_000 + seed)
    rows = LabelledRows(labels, (np.arange(n_rows) % 5).astype(np.int16))
    rules = [Chain(combination_rule(name, metric=METRIC), ExactThresholds()) for name in AUTO]
    chains: list[FittedChain] = [rule.fit(stack, rows, 0) for rule in rules]
    chains.append(AutoChain(ExactThresholds(), METRIC).fit(stack, rows, 0))
    return [METRIC.score(truth, chain.decisions(fresh)) for chain in chains], chains[-1].combination.name


def simulate(
    noises: list[float], scales: list[float], n_rows: int, seed: int
) -> tuple[MemberStack, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    level = np.linspace(-6.0, -2.5, 4)
    truth = rng.normal(level, 2.2, (n_rows, 4))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.float64)
    seen = truth + rng.normal(0.0, 0.7, truth.shape)
    logits = [
        scale * (rng.normal(level, 2.0, truth.shape) if noise == JUNK else seen + rng.normal(0.0, noise, truth.shape))
        for noise, scale in zip(noises, scales, strict=True)
    ]
    return MemberStack(tuple(f"member {number}" for number in range(len(noises))), np.array(logits, np.float32)), labels


if __name__ == "__main__":
    main()
