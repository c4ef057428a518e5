"""The flags of ``python -m ensemble.blend``. Imports nothing heavy, as ``--help`` needs nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from ensemble.command import whole_number

_EXAMPLES = """examples:
  python -m ensemble.blend                          all finished members of the only dataset
  python -m ensemble.blend vgg14 lstm --name two    two of them: submissions/two.csv
  python -m ensemble.blend --data data/origin --trials 0
  python -m ensemble.blend --oof tables --labels labels.csv --test test_tables --out blended
                                                    tables from anywhere: see docs/tables.md

Needs no torch: it reads prediction tables."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.blend",
        description="Combine members' probabilities, choose one threshold per class, score it honestly and write the "
        "submission.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("members", nargs="*", metavar="MEMBER", help="members to blend (default: all)")
    _add_ours(parser.add_argument_group("members that were trained here"))
    _add_foreign(parser.add_argument_group("tables from anywhere (.csv, .parquet, .npz)"))
    both = parser.add_argument_group("both")
    add_choices(both)
    both.add_argument(
        "--seed", type=whole_number, default=0, metavar="N", help="the only source of chance (default: 0)"
    )
    return parser


def add_choices(group: argparse._ActionsContainer) -> None:
    """What is maximised, and by which rules; ``run`` has them, too."""
    group.add_argument(
        "--metric",
        default="macro_f1",
        metavar="NAME",
        help="macro_f1, weighted_f1, macro_fbeta, micro_f1, sample_f1 or subset_accuracy (default: macro_f1)",
    )
    group.add_argument("--beta", type=float, default=None, metavar="B", help="of macro_fbeta")
    group.add_argument(
        "--combine",
        default="auto",
        metavar="RULE",
        help="how to combine members: auto, mean, mean_logits, mean_ranks, convex, greedy, optuna or class_weights "
        "(default: auto)",
    )
    group.add_argument(
        "--thresholds",
        default="auto",
        metavar="RULE",
        help="how to choose thresholds: auto, fixed, global, exact, halves, prior, platt, beta, ranks or optuna "
        "(default: auto)",
    )
    group.add_argument("--at-least-one", action="store_true", help="every image gets a label")
    group.add_argument("--exclusive", metavar="CLASS", help='a class that never comes with another, e.g. "no finding"')
    group.add_argument("--match-fold-models", action="store_true", help="test rows: as many as one fold model calls")
    group.add_argument("--match-test-rate", action="store_true", help="test rows: as many positive as in training")
    group.add_argument(
        "--trials", type=whole_number, default=50, metavar="N", help="of each Optuna study; 0: none (default: 50)"
    )


def choice_words(args: argparse.Namespace) -> list[str]:
    """The command line that gives these choices again."""
    words = ["--metric", args.metric, "--combine", args.combine, "--thresholds", args.thresholds]
    words += ["--trials", args.trials]
    for name in ("beta", "exclusive", "seed"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name}", value]
    flags = ("at_least_one", "match_fold_models", "match_test_rate")
    return [*map(str, words), *(f"--{name.replace('_', '-')}" for name in flags if getattr(args, name))]


def _add_ours(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder (default: the one that was trained on)"
    )
    group.add_argument("--runs", type=Path, metavar="DIR", help="holds the members (default: runs)")
    group.add_argument("--name", metavar="NAME", help="the blend's name (default: blend)")
    group.add_argument(
        "--submission", type=Path, metavar="FILE", help="the file to send (default: submissions/NAME.csv)"
    )


def _add_foreign(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--oof", type=Path, metavar="DIR", help="each table in it is a member: id, one column a class, labelled rows"
    )
    group.add_argument("--labels", type=Path, metavar="FILE", help="CSV: id, one 0/1 column a class (empty: unknown)")
    group.add_argument("--groups", type=Path, metavar="FILE", help="CSV: id,group, e.g. the patient")
    group.add_argument("--folds", type=Path, metavar="FILE", help="CSV: id,fold (default: folds are made)")
    group.add_argument("--n-folds", type=whole_number, metavar="K", help="how many folds to make (default: 5)")
    group.add_argument("--test", type=Path, metavar="DIR", help="the members' tables of the test rows, named alike")
    group.add_argument("--test-groups", type=Path, metavar="FILE", help="CSV: id,group of the test rows")
    group.add_argument("--template", type=Path, metavar="FILE", help="sample submission: ids, order and form to copy")
    group.add_argument(
        "--scale", choices=("probabilities", "logits"), help="of tables that do not say (default: probabilities)"
    )
    group.add_argument(
        "--only-common-rows", action="store_true", help="blend the rows that all tables have, instead of refusing"
    )
    group.add_argument(
        "--ignore-extra-columns", action="store_true", help="leave columns aside that are no class, likewise"
    )
    group.add_argument("--out", type=Path, metavar="DIR", help="receives everything: submission, tables, blend.json")
