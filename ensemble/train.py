"""Train the folds of one recipe: ``python -m ensemble.train recipes/vgg14.yaml --fold 0``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, share_cores, whole_number
from ensemble.errors import EXIT_BAD_INPUT, EXIT_DONE

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.data.cache import ImageCache
    from ensemble.dataset import Dataset
    from ensemble.folds import FoldFile
    from ensemble.recipe import Recipe
    from ensemble.runs import DatasetRuns
    from ensemble.training.job import Hardware
    from ensemble.training.member import Member

_EXAMPLES = """examples:
  python -m ensemble.train recipes/vgg14.yaml --fold 0
  python -m ensemble.train recipes/resnet18.yaml --all-folds --data data/origin --set training.epochs=3
  python -m ensemble.train --list
  python -m ensemble.train --copy vgg14

The same command again goes on where it stopped, and skips what is finished."""


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
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder (default: the recipe's data.path)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results go (default: runs)"
    )
    parser.add_argument("--name", metavar="NAME", help="the member's name (default: the recipe file's)")
    parser.add_argument("--folds", type=Path, metavar="FILE", help="a fold file of your own: image_id, fold[, group]")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. training.epochs=3"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="discard what was trained for these folds before; for all folds, if the recipe has changed",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps (default: auto)")
    parser.add_argument(
        "--workers", type=whole_number, metavar="N", help="data worker processes (default: fit for the device)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the recipe's seed")
    parser.add_argument("--list", action="store_true", help="list the recipes that come with the package, and stop")
    parser.add_argument("--copy", metavar="NAME", help="copy one of them into ./recipes, and stop")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, train, print."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.list or args.copy:
        return _show_recipes(args.copy)
    if args.recipe is None or args.all_folds == (args.fold is not None):
        parser.print_usage(sys.stderr)
        sys.stderr.write("error: expected a recipe and either --fold K or --all-folds (or --list, or --copy NAME)\n")
        return EXIT_BAD_INPUT
    return _train(args, argv)


def _show_recipes(copy: str | None) -> int:
    from ensemble.recipe_files import copy_recipe, list_recipes

    if copy is not None:
        print(f"copied to {copy_recipe(copy, Path('recipes'))}")
        return EXIT_DONE
    recipes = list_recipes()
    width = max(len(recipe.name) for recipe in recipes)
    for before, recipe in zip([None, *recipes], recipes, strict=False):
        if before is not None and before.folder != recipe.folder:
            print()
        print(f"{recipe.name:<{width}}  {recipe.title}")
    return EXIT_DONE


def _train(args: argparse.Namespace, argv: Sequence[str]) -> int:
    share_cores()  # before anything imports torch
    from rich.console import Console

    from ensemble.recipe import load_recipe

    console = Console(highlight=False, soft_wrap=True)
    overrides = [*args.overrides, *([] if args.seed is None else [f"seed={args.seed}"])]
    recipe = load_recipe(args.recipe, overrides)
    member = _prepare(args, recipe, overrides, console=console, command=["ensemble.train", *argv])
    folds = _wanted_folds(args, member.folds)
    _train_folds(member, folds, console, overwrite=args.overwrite)
    return EXIT_DONE


def _prepare(
    args: argparse.Namespace, recipe: Recipe, overrides: Sequence[str], *, console: Console, command: Sequence[str]
) -> Member:
    """Everything that can be refused is refused here, before anything long starts."""
    from ensemble.dataset import read_dataset
    from ensemble.errors import RecipeError
    from ensemble.folds import FoldWish, open_folds
    from ensemble.runs import dataset_runs
    from ensemble.training.checks import check_recipe, fetch_weights
    from ensemble.training.member import Member

    path = args.data or recipe.data.path
    if path is None:
        raise RecipeError(f"{args.recipe}: data.path is not set. Set it, or give --data DIR")
    hardware = _hardware(args, recipe)
    dataset = read_dataset(Path(path))
    n_classes = len(dataset.class_names)
    check_recipe(recipe, n_classes=n_classes, title=str(args.recipe), labels=dataset.train.labels)
    runs = dataset_runs(args.runs, dataset.name)
    paths = runs.member(args.recipe.stem if args.name is None else args.name)
    wish = FoldWish(recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout, args.folds)
    dataset, folds = open_folds(runs, dataset, wish)
    if not all(paths.fold(fold).run.exists() for fold in _wanted_folds(args, folds)):
        fetch_weights(recipe, n_classes=n_classes, title=str(args.recipe))
    _describe(console, dataset, folds, hardware)
    cache = _open_cache(runs, dataset, recipe, console)
    return Member(recipe, dataset, folds, cache, runs, paths, hardware, command, overrides)


def _hardware(args: argparse.Namespace, recipe: Recipe) -> Hardware:
    import torch

    from ensemble.training.job import Hardware
    from ensemble.training.precision import choose_device, choose_precision, usable_cores

    device = choose_device(args.device)
    threads = usable_cores()
    torch.set_num_threads(threads)
    workers = args.workers
    if workers is None:
        # On a CPU the step itself uses all cores, and workers would only take them away.
        workers = 0 if device.type == "cpu" else min(8, max(1, threads - 1))
    return Hardware(device, choose_precision(recipe.precision, device), workers, threads)


def _wanted_folds(args: argparse.Namespace, folds: FoldFile) -> list[int]:
    from ensemble.errors import FoldError

    if args.all_folds:
        return list(range(folds.n_folds))
    if not 0 <= args.fold < folds.n_folds:
        raise FoldError(
            f"--fold {args.fold}: expected 0 to {folds.n_folds - 1}, for the dataset has {folds.n_folds} folds"
        )
    return [args.fold]


def _describe(console: Console, dataset: Dataset, folds: FoldFile, hardware: Hardware) -> None:
    """The start lines: what was found, and what was decided and why."""
    from ensemble.folds import rare_classes
    from ensemble.folds.fold_file import MADE

    rows = [("training", dataset.train), ("holdout", dataset.holdout), ("test", dataset.test)]
    counts = ", ".join(f"{len(split.image_ids):,} {name}" for name, split in rows if split is not None)
    console.print(f"dataset    {dataset.name}: {counts} images; classes {', '.join(dataset.class_names)}", markup=False)
    console.print(f"groups     {folds.groups_source}", markup=False)
    if dataset.unused_tables:
        unused = ", ".join(dataset.unused_tables)
        console.print(f"not used   {unused} (hold ids, but under no name that is read)", markup=False)
    how = f"stratified with seed {folds.fold_seed}" if folds.source == MADE else f"from {folds.source}"
    whole = "" if folds.groups is None else ", no group in two of them"
    console.print(f"folds      {folds.n_folds}, {how}{whole}", markup=False)
    labels = dataset.train.labels
    if labels is not None:
        for sentence in rare_classes(labels, dataset.train.groups, dataset.class_names, folds.n_folds):
            console.print(f"note       {sentence}", markup=False)
    console.print(
        f"precision  {hardware.precision.name} on {hardware.device}, {hardware.threads} threads: "
        f"{hardware.precision.reason}",
        markup=False,
    )


def _open_cache(runs: DatasetRuns, dataset: Dataset, recipe: Recipe, console: Console) -> ImageCache:
    from rich.progress import Progress

    from ensemble.data.cache import build_cache
    from ensemble.training.precision import usable_cores

    files = [split.image_files for split in (dataset.train, dataset.holdout, dataset.test) if split is not None]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("decoding images", total=None)
        return build_cache(
            runs.cache,
            dataset.path,
            [file for part in files for file in part],
            image_size=recipe.data.image_size,
            workers=usable_cores(),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _train_folds(member: Member, folds: Sequence[int], console: Console, *, overwrite: bool) -> None:
    from ensemble.report.progress import FoldProgress
    from ensemble.training.member import finished_folds, merge_member, start_member, train_fold

    start_member(member, folds=folds, overwrite=overwrite)
    finished = finished_folds(member)
    for fold in folds:
        title = f"{member.paths.name} fold {fold}"
        if fold in finished:
            console.print(f"{title}  is finished; --overwrite trains it anew", markup=False)
            continue
        log = member.paths.fold(fold).log
        with FoldProgress(console, title=title, epochs=member.recipe.training.epochs, log=log) as progress:
            train_fold(member, fold, progress)
    missing = merge_member(member)
    if missing:
        listed = ", ".join(map(str, missing))
        console.print(f"{member.paths.name}: folds still to train: {listed}", markup=False)
    else:
        console.print(f"{member.paths.name}: all folds done, tables in {member.paths.folder}", markup=False)
        runs = member.runs.folder.parent
        elsewhere = "" if runs == Path("runs") else f" --runs {runs}"
        console.print(f"next: python -m ensemble.blend --data {member.dataset.path}{elsewhere}", markup=False)


if __name__ == "__main__":
    sys.exit(run_command(main))
