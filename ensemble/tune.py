"""Search a recipe's settings: ``python -m ensemble.tune recipes/resnet18.yaml --space recipes/spaces/basic.yaml``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import positive, run_command, share_cores, some, some_positive, whole_number
from ensemble.errors import EXIT_DONE, EXIT_FAILED
from ensemble.stopping import stop_signals
from ensemble.training.flags import duration

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.data.cache import ImageCache
    from ensemble.dataset import Dataset
    from ensemble.recipe import Recipe
    from ensemble.recipe.space import Parameter
    from ensemble.runs import DatasetRuns
    from ensemble.search.study import SharedStudy
    from ensemble.search.trials import Trial
    from ensemble.stopping import StopRequest
    from ensemble.training.trial import TrialRows, TrialRunner

_EXAMPLES = """examples:
  python -m ensemble.tune recipes/resnet18.yaml --space recipes/spaces/basic.yaml --data my_data --trials 40
  the same command, in as many processes as you like: they share the study
  python -m ensemble.train runs/my_data/tuning/resnet18/best.yaml --all-folds --data my_data

Rows of --fold are never seen. The same command again goes on; what was interrupted is tried again."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.tune",
        description="Search settings of a recipe by Optuna, on a split of the rows outside one fold.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_search_flags(parser)
    _add_training_flags(parser)
    return parser


def _add_search_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe to start from")
    parser.add_argument(
        "--space", type=Path, required=True, metavar="FILE", help="YAML: keys with ranges or choices; or basic"
    )
    parser.add_argument("--trials", type=positive, default=50, metavar="N", help="of the study (default: 50)")
    parser.add_argument(
        "--fold", type=whole_number, default=0, metavar="K", help="the search never sees it (default: 0)"
    )
    parser.add_argument(
        "--storage", metavar="WHERE", help="a journal file, or a database's URL (default: study.journal in its folder)"
    )
    parser.add_argument("--study", metavar="NAME", help="the study's name (default: the recipe file's)")
    parser.add_argument(
        "--pruner",
        choices=("median", "hyperband", "none"),
        default="median",
        help="what stops trials (default: median)",
    )
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the search (default: 0)")


def _add_training_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder (default: the recipe's data.path)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results go (default: runs)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. training.epochs=3"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps (default: auto)")
    parser.add_argument("--threads", type=some_positive, metavar="N", help="of this process (default: all cores)")
    parser.add_argument("--workers", type=some, default=0, metavar="N", help="data worker processes (default: 0)")
    parser.add_argument(
        "--time-limit", type=duration, metavar="TIME", help="stop before it, e.g. 9h, 90m, 1h30m; exit code 75"
    )


def main(argv: Sequence[str]) -> int:
    """Parse, search, print."""
    args = build_parser().parse_args(argv)
    with stop_signals(args.time_limit) as stop:
        return _tune(args, stop)


def _tune(args: argparse.Namespace, stop: StopRequest) -> int:
    share_cores()  # before anything imports torch
    from ensemble.dataset import read_dataset
    from ensemble.dataset.medmnist import unpacked
    from ensemble.errors import RecipeError
    from ensemble.recipe import load_recipe
    from ensemble.recipe.space import read_space
    from ensemble.recipe_files import space_file
    from ensemble.report.console import open_console
    from ensemble.report.tuning import print_trial

    console = open_console(soft_wrap=True)
    recipe = load_recipe(args.recipe, args.overrides)
    parameters = read_space(space_file(args.space), args.recipe, args.overrides)
    path = args.data or recipe.data.path
    if path is None:
        raise RecipeError(f"{args.recipe}: data.path is not set. Set it, or give --data DIR")
    rows, runs = _rows(args, recipe, read_dataset(unpacked(path, args.runs)))
    folder = runs.tuning(args.study or args.recipe.stem)
    runner = _runner(args, rows, runs, stop)
    study = _study(args, recipe, parameters, rows=rows, folder=folder)
    console.print(
        f"study {folder.name}: {len(parameters)} settings, trials are scored on {int(rows.scored.sum()):,} of "
        f"{int((~rows.held_out).sum()):,} training rows outside fold {args.fold}, whose rows are never seen",
        markup=False,
    )
    try:
        with stop.patiently():
            study.work(_objective(args, runner, folder), lambda tried: print_trial(console, tried))
    finally:
        found = _write(args, study, folder, console)
    return EXIT_DONE if found else EXIT_FAILED


def _rows(args: argparse.Namespace, recipe: Recipe, whole: Dataset) -> tuple[TrialRows, DatasetRuns]:
    """The same folds as training has: they are made here, if they are not there yet."""
    from ensemble.dataset import check_holdout_groups
    from ensemble.errors import FoldError
    from ensemble.folds import FoldWish, open_folds, preview_folds
    from ensemble.runs import dataset_runs
    from ensemble.training.trial import split_rows

    runs = dataset_runs(args.runs, whole.name, outside=whole.path)
    wish = FoldWish(recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout, None)
    dataset, planned = preview_folds(runs, whole, wish)
    check_holdout_groups(dataset)
    if args.fold >= planned.n_folds:
        raise FoldError(
            f"--fold {args.fold}: expected 0 to {planned.n_folds - 1}, as there are {planned.n_folds} folds"
        )
    dataset, folds = open_folds(runs, whole, wish, planned=planned)
    return split_rows(dataset, folds, fold=args.fold, seed=args.seed), runs


def _runner(args: argparse.Namespace, rows: TrialRows, runs: DatasetRuns, stop: StopRequest) -> TrialRunner:
    from ensemble.data.cache import build_cache
    from ensemble.training.job import Hardware, Pacing
    from ensemble.training.precision import choose_device, choose_precision, usable_cores
    from ensemble.training.trial import TrialRunner

    device = choose_device(args.device)
    dataset, threads = rows.dataset, args.threads or usable_cores()
    files = [split.image_files for split in (dataset.train, dataset.holdout, dataset.test) if split is not None]

    @cache
    def open_cache(image_size: tuple[int, int]) -> ImageCache:
        names = [file for part in files for file in part]  # training's own: one cache for both
        return build_cache(runs.cache, dataset.path, names, image_size=image_size, workers=threads)

    hardware = Hardware(device, choose_precision("auto", device), args.workers, threads)
    return TrialRunner(rows, open_cache, hardware, Pacing(stop))


def _study(
    args: argparse.Namespace, recipe: Recipe, parameters: Sequence[Parameter], *, rows: TrialRows, folder: Path
) -> SharedStudy:
    from dataclasses import asdict

    from ensemble.files import sha256_of_bytes
    from ensemble.recipe import recipe_hash
    from ensemble.recipe.space import start_values
    from ensemble.runs import check_outside
    from ensemble.search.storage import is_url
    from ensemble.search.study import SharedStudy
    from ensemble.search.trials import StudyWish

    space = repr([asdict(one) for one in parameters])
    facts = {
        "recipe": recipe_hash(recipe),
        "space": sha256_of_bytes(space.encode()),
        "dataset": rows.dataset.content_hash,
        "folds": rows.folds.sha256,
        "fold": args.fold,
        "seed": args.seed,
    }
    storage = args.storage or str(folder / "study.journal")
    if not is_url(storage):
        check_outside(Path(storage), rows.dataset.path, "--storage")
    wish = StudyWish(
        folder.name,
        storage,
        folder / ".lock",
        trials=args.trials,
        seed=args.seed,
        pruner=args.pruner,
        most_steps=recipe.training.epochs,
        facts=facts,
    )
    return SharedStudy(wish, parameters, start_values(parameters, recipe))


def _objective(args: argparse.Namespace, runner: TrialRunner, folder: Path) -> Callable[[Trial], float]:
    from ensemble.recipe import load_recipe

    def objective(trial: Trial) -> float:
        recipe = load_recipe(args.recipe, [*args.overrides, *trial.overrides])
        return runner.run(recipe, folder / f"trial_{trial.origin}", trial.report)

    return objective


def _write(args: argparse.Namespace, study: SharedStudy, folder: Path, console: Console) -> bool:
    """The table of trials, and the best recipe, if there is one."""
    from ensemble.files import locked, remove_leftovers, write_text
    from ensemble.recipe import dump_recipe, load_recipe
    from ensemble.report.tuning import print_best, trials_csv

    with locked(folder / ".lock", wait=True):
        remove_leftovers(folder)
        trials = study.trials()
        write_text(folder / "trials.csv", trials_csv(trials))
        complete = [one for one in trials if one.state == "complete" and one.value is not None]
        if complete:
            best = max(complete, key=lambda one: (one.value or 0.0, -one.number))
            origin = f"searched={{trials: {len(complete)}, fold: {args.fold}}}"
            overrides = [*args.overrides, *best.overrides, origin]
            write_text(folder / "best.yaml", dump_recipe(load_recipe(args.recipe, overrides), overrides))
    print_best(console, trials, folder, step=_next_step(args, folder))
    return bool(complete)


def _next_step(args: argparse.Namespace, folder: Path) -> str:
    """The training that the search was for, so that it can be pasted."""
    import shlex

    words: list[object] = ["--all-folds", "--name", f"{folder.name}_tuned", "--runs", args.runs]
    words += [] if args.data is None else ["--data", args.data]
    return f"python -m ensemble.train {shlex.join(map(str, [folder / 'best.yaml', *words]))}"


if __name__ == "__main__":
    sys.exit(run_command(main))
