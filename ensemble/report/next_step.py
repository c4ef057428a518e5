"""The command to type next, so that it can be pasted."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from ensemble.processes import place

_ALONE = ("python", "-m")


def train_again(args: argparse.Namespace, folds: Sequence[int]) -> str:
    """The same training for folds that are missing.

    Args:
        args: Of ``ensemble.train``. ``--overwrite`` is left out: it would discard what is there.
        folds: These.
    """
    words: list[object] = [args.recipe]
    words += ["--fold", folds[0]] if len(folds) == 1 else ["--all-folds"]
    for name in ("data", "cache", "name", "folds", "seed", "workers", "threads"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name}", value]
    if args.time_limit is not None:
        words += ["--time-limit", f"{args.time_limit}s"]
    if args.checkpoint_seconds is not None:
        words += ["--checkpoint-seconds", args.checkpoint_seconds]
    for override in args.overrides:
        words += ["--set", override]
    if args.device != "auto":
        words += ["--device", args.device]
    here = place()
    several = ["torchrun", "--nproc-per-node", here.local_count, "-m"]
    return _typed("ensemble.train", words, runs=args.runs, starts=several if here.count > 1 else _ALONE)


def blend_members(data: Path, runs: Path) -> str:
    """The blend of all finished members.

    Args:
        data: The dataset's folder.
        runs: Where the members are.
    """
    return _typed("ensemble.blend", ["--data", data], runs=runs)


def _typed(module: str, words: Sequence[object], *, runs: Path, starts: Sequence[object] = _ALONE) -> str:
    elsewhere = [] if runs == Path("runs") else ["--runs", runs]
    return shlex.join(map(str, [*starts, module, *words, *elsewhere]))
