"""Do thresholds that are corrected for the mean of K fold models do better? The holdout, decided as test rows are.

::

    python benchmarks/mean_correction.py --data DIR --runs DIR [MEMBER ...] [--metric macro_f1] [--combine mean]
                                         [--thresholds auto] [--seed 0]

DIR is a dataset with a holdout whose members are finished. The chain is fitted on the training rows; the holdout is
decided by its thresholds, by thresholds at which the mean calls as many holdout rows positive as each fold model does
(``match_fold_models``), and by thresholds that call as many positive as of the training rows (``match_rates``).
Printed are the scores, their difference from the plain thresholds' with its standard error by group (jackknife), how
many fold models' and mean's decisions are positive, and each class.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from chains import named_chain
from numpy.typing import NDArray

from ensemble.blending import Source, open_source, stack_members
from ensemble.dataset import read_dataset
from ensemble.evaluation import LabelledRows, match_fold_models, match_rates, paired_difference
from ensemble.evaluation.chain import FittedChain
from ensemble.evaluation.unlabelled import fold_model_probabilities
from ensemble.metric import METRIC_NAMES, Metric
from ensemble.metrics import class_f1
from ensemble.thresholds import decide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("members", nargs="*", metavar="MEMBER")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metric", choices=METRIC_NAMES, default="macro_f1")
    parser.add_argument("--combine", default="mean")
    parser.add_argument("--thresholds", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    source, _ = open_source(args.runs, args.members, data=args.data)
    if source.holdout_labels is None or not source.tables("holdout"):
        raise SystemExit(f"{args.data} has no holdout, or its members have no tables of it")
    holdout = read_dataset(args.data, images=False).holdout
    groups = None if holdout is None else holdout.groups
    metric = Metric(args.metric)
    rows = LabelledRows(source.labels, source.folds, source.groups)
    stack = stack_members(source.tables("oof"))
    chain = named_chain(args.combine, args.thresholds, metric).fit(stack, rows, args.seed)
    names = ", ".join(member.name for member in source.members)
    n_groups = "no groups" if groups is None else f"{len(np.unique(groups))} groups"
    print(f"{source.name}: {names}; {len(source.labels)} training rows, {source.n_folds} folds; ", end="")
    print(f"holdout {len(source.holdout_labels)} rows, {n_groups}; {args.combine}, {args.thresholds}, {metric.title}")
    for line in compare(source, chain, metric=metric, groups=groups):
        print(line)


def compare(source: Source, chain: FittedChain, *, metric: Metric, groups: NDArray[np.str_] | None) -> Iterator[str]:
    """The lines to print."""
    labels = source.holdout_labels
    assert labels is not None
    mean = chain.probabilities(stack_members(source.tables("holdout")))
    models = fold_model_probabilities(source, chain, "holdout")
    plain = chain.thresholds
    training_rates = np.nanmean(source.labels, axis=0)
    thresholds = {
        "plain": plain,
        "fold models": match_fold_models(plain, models, mean),
        "training rate": match_rates(plain, training_rates, mean),
    }
    decisions = {name: decide(mean, one) for name, one in thresholds.items()}
    single = np.mean([metric.score(labels, decide(one, plain)) for one in models])
    yield f"a fold model alone, plain thresholds: {single:.4f} (mean of {len(models)})"
    for name, decided in decisions.items():
        line = f"{name:<14}{metric.score(labels, decided):.4f}"
        if name != "plain":
            difference = paired_difference(metric, labels, decided, decisions["plain"], groups=groups)
            changed = int((decided != decisions["plain"]).sum())
            line += f"  {difference.gain:+.4f} ± {difference.standard_error:.4f}  ({changed} decisions changed)"
        yield line
    yield "shares positive: training, holdout, fold models, mean | thresholds: plain, fold models | F1: plain, change"
    rates = np.mean([decide(one, plain).mean(axis=0) for one in models], axis=0)
    f1 = class_f1(labels, decisions["plain"])
    for number, name in enumerate(source.class_names):
        shares = (training_rates, np.nanmean(labels, axis=0), rates, decisions["plain"].mean(axis=0))
        told = "  ".join(f"{one[number]:8.4f}" for one in shares)
        pair = [decisions[one][:, [number]] for one in ("fold models", "plain")]
        change = paired_difference(Metric("macro_f1"), labels[:, [number]], *pair, groups=groups)
        cuts = f"{plain[number]:.4f}  {thresholds['fold models'][number]:.4f}"
        yield f"{name[:16]:<16}{told}  | {cuts} | {f1[number]:.4f}  {change.gain:+.4f} ± {change.standard_error:.4f}"


if __name__ == "__main__":
    main()
