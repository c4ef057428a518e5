"""The flags of ``python -m ensemble.train``. Imports nothing heavy, as ``--help`` needs nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from ensemble.command import some, some_positive, whole_number
from ensemble.stopping import duration_seconds

_EXAMPLES = """examples:
  python -m ensemble.train recipes/vgg14.yaml --fold 0
  python -m ensemble.train recipes/resnet18.yaml --all-folds --data data/origin --set training.epochs=3
  python -m ensemble.train --list
  python -m ensemble.train --copy vgg14

The same command again, without --overwrite, goes on where it stopped,
and skips what is finished.
Ctrl-C, SIGTERM and --time-limit save before they stop."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.train",
        description="Train the folds of one recipe; every fold leaves logits of its held-out, holdout and test rows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE", help="a recipe file, e.g. recipes/vgg14.yaml")
    parser.add_argument("--fold", type=int, metavar="K", help="the fold to hold out, from 0")
    parser.add_argument("--all-folds", action="store_true", help="all folds, one after the other")
    parser.add_argument("--name", metavar="NAME", help="the member's name (default: the recipe file's)")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="discard what was trained for these folds before; for all folds, if the recipe has changed",
    )
    parser.add_argument("--progress", type=Path, help=argparse.SUPPRESS)  # for whoever has started this process
    add_shared(parser)
    parser.add_argument("--list", action="store_true", help="list the recipes that come with the package, and stop")
    parser.add_argument(
        "--verify", type=Path, metavar="RUN", help="check what a run folder holds against its stored hashes, and stop"
    )
    parser.add_argument("--copy", metavar="NAME", help="copy one of them into ./recipes, and stop")
    return parser


def add_shared(group: argparse._ActionsContainer) -> None:
    """What ``train`` and ``run`` have in common: where things lie, what a recipe is changed by, and how it is run."""
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder, or a MedMNIST file (default: data.path)"
    )
    group.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results go (default: runs)"
    )
    group.add_argument(
        "--cache", type=Path, metavar="DIR", help="where decoded images go (default: runs/<dataset>/cache)"
    )
    group.add_argument("--folds", type=Path, metavar="FILE", help="a fold file of your own: image_id, fold[, group]")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. training.epochs=3"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps (default: auto)")
    group.add_argument("--workers", type=some, metavar="N", help="data worker processes (default: fit for the device)")
    group.add_argument(
        "--threads", type=some_positive, metavar="N", help="of a step on the CPU (default: one for each usable core)"
    )
    group.add_argument("--seed", type=int, metavar="N", help="instead of the recipe's seed")
    group.add_argument(
        "--time-limit", type=duration, metavar="TIME", help="stop before it, e.g. 9h, 90m, 1h30m; exit code 75"
    )
    group.add_argument(
        "--checkpoint-seconds",
        type=whole_number,
        metavar="N",
        help="save after N seconds, whatever it costs (default: after a minute or more, so that it costs at most 2 %%)",
    )


def shared_words(args: argparse.Namespace) -> list[str]:
    """The command line that gives these shared flags again, but for ``--threads`` and ``--time-limit``."""
    words = ["--runs", args.runs, "--device", args.device]
    for name in ("data", "cache", "folds", "workers", "seed", "checkpoint_seconds"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name.replace('_', '-')}", value]
    for override in args.overrides:
        words += ["--set", override]
    return [str(word) for word in words]


def duration(text: str) -> int:
    """The value of ``--time-limit``, in seconds.

    Argparse makes a usage error of the refusal, but hides what a plain ValueError says.
    """
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
