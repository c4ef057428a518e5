"""Does less work keep the score: each option against the same recipe without it, on the same folds and seeds.

::

    python benchmarks/less_work.py DIR [--weights FILE] [--rows 3000] [--seeds 0 1] [--epochs 8] [--options NAME...]
    python benchmarks/less_work.py DIR --quick

DIR is a dataset with groups, of which ``--rows`` rows are taken by group. Three folds at 48 px; every pair of runs is
the command ``python -m ensemble.train``, one right after the other. The scores are those of the held-out folds with the
weights that were kept: macro average precision, and macro-F1 at 0.5. Differences are with less without, mean and
standard error over folds and seeds. ``--weights`` names a file of timm's ``tf_efficientnet_lite0``; without it the
frozen backbone is left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from subset import write_subset

ROOT = Path(__file__).resolve().parents[1]
N_FOLDS = 3
HEAD = (
    f"{'option':22}{'network':24}{'seconds':>9}{'with':>8}{'ratio':>7}{'AP':>8}{'difference':>18}{'F1':>8}"
    f"{'difference':>18}"
)


@dataclass(frozen=True)
class Option:
    """One option: what a recipe says with it, and the recipe that it is tried on."""

    name: str
    value: str
    recipe: str
    extra: tuple[str, ...] = ()


def options(args: argparse.Namespace) -> list[Option]:
    network = "demo/resnet18" if args.quick else "resnet18"
    inner = 0.34 if args.quick else 0.1  # a few groups cannot be divided more finely
    steps = "[{until: 0.5, size: 0.5}, {until: 0.75, size: 0.67}]"
    found = [
        Option("progressive", f"training.progressive={steps}", network),
        Option("progressive_mild", "training.progressive=[{until: 0.5, size: 0.67}]", network),
        Option("score_epochs", "training.score_epochs=last", network),
        Option("early_stopping", f"training.early_stopping={{patience_epochs: 2, inner_fraction: {inner}}}", network),
    ]
    if args.weights:
        # A third of the images' side would leave a map of one pixel: this network was made for 224 px.
        weights = (f"model.pretrained={args.weights.resolve()}", "data.image_size=64")
        found.append(Option("freeze_backbone", "training.freeze_backbone_epochs=1", "efficientnet_lite0", weights))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--options", nargs="+", metavar="NAME", help="which; default: all")
    parser.add_argument("--quick", action="store_true", help="900 rows, one seed, three epochs of a narrow network")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.seeds, args.epochs = 900, [0], 3
    found = options(args)
    if unknown := set(args.options or ()) - {option.name for option in found}:
        parser.error(f"no option is called {sorted(unknown)}; there are: {', '.join(option.name for option in found)}")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        n_rows = write_subset(args.folder, scratch / "part", rows=args.rows, n_folds=N_FOLDS, seed=0)
        shown = f"{n_rows:,} rows, {N_FOLDS} folds, {args.epochs} epochs, seeds {', '.join(map(str, args.seeds))}"
        print(f"{args.folder.name}: {shown}; seconds of training, per fold\n{HEAD}", flush=True)
        for option in found:
            if args.options is None or option.name in args.options:
                print(line(option, args, scratch), flush=True)


def line(option: Option, args: argparse.Namespace, scratch: Path) -> str:
    """One row of the table."""
    without, with_it = [], []
    for seed in args.seeds:
        for fold in range(N_FOLDS):
            without.append(run(option, args, scratch, seed, fold, on=False))
            with_it.append(run(option, args, scratch, seed, fold, on=True))
    before, after = np.array(without), np.array(with_it)
    seconds = before[:, 0].mean(), after[:, 0].mean()
    scores = "".join(
        f"{before[:, place].mean():8.4f}{difference(after[:, place] - before[:, place]):>18}" for place in (1, 2)
    )
    return f"{option.name:22}{option.recipe:24}{seconds[0]:9.1f}{seconds[1]:8.1f}{seconds[1] / seconds[0]:7.2f}{scores}"


def difference(values: np.ndarray) -> str:
    return f"{values.mean():+.4f} ± {values.std(ddof=1) / np.sqrt(len(values)):.4f}"


def run(
    option: Option, args: argparse.Namespace, scratch: Path, seed: int, fold: int, *, on: bool
) -> tuple[float, float, float]:
    """Seconds of training, macro average precision and macro-F1 at 0.5 of the weights that were kept."""
    name = f"{option.name}_{'with' if on else 'without'}_{seed}"
    settings = [
        "data.image_size=48",
        f"training.epochs={args.epochs}",
        "training.batch_size=32",
        *option.extra,
        *([option.value] if on else []),
    ]
    recipe = next((ROOT / "recipes").glob(f"{option.recipe}.yaml"))
    flags = ["--fold", str(fold), "--name", name, "--seed", str(seed), "--data", str(scratch / "part")]
    call([str(recipe), *flags, "--runs", str(scratch / "runs"), *(t for one in settings for t in ("--set", one))])
    folder = scratch / "runs" / "part" / name / f"fold_{fold}"
    facts = json.loads((folder / "run.json").read_text())
    with (folder / "metrics.csv").open() as stream:
        kept = list(csv.DictReader(stream))[facts["chosen_epoch"] - 1]
    return facts["training_seconds"], float(kept["fold_macro_average_precision"]), float(kept["fold_macro_f1"])


def call(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "ensemble.train", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
