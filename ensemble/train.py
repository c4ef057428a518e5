"""Train the folds of one recipe: ``python -m ensemble.train recipes/vgg14.yaml --fold 0``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, share_cores
from ensemble.errors import EXIT_BAD_INPUT, EXIT_DONE
from ensemble.stopping import stop_signals
from ensemble.training.flags import build_parser

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.data.cache import ImageCache
    from ensemble.dataset import Dataset
    from ensemble.folds import FoldFile
    from ensemble.recipe import Recipe
    from ensemble.stopping import StopRequest
    from ensemble.training.job import Hardware, Pacing
    from ensemble.training.member import Member


def main(argv: Sequence[str]) -> int:
    """Parse, train, print."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.list or args.copy:
        return _show_recipes(args.copy)
    if args.verify is not None:
        return _verify(args.verify)
    if args.recipe is None or args.all_folds == (args.fold is not None):
        parser.print_usage(sys.stderr)
        sys.stderr.write(
            "error: expected a recipe and either --fold K or --all-folds (or --list, --copy NAME, or --verify RUN)\n"
        )
        return EXIT_BAD_INPUT
    with stop_signals(args.time_limit) as stop:
        return _train(args, argv, stop)


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


def _verify(folder: Path) -> int:
    from ensemble.errors import first_few, many
    from ensemble.sealed import verify

    found = verify(folder)
    print(
        f"{folder}: {many(found.checked, 'check')} passed; recipe, folds, tables and weights are as training left them"
    )
    if found.unsealed:
        print(f"weights not checked, as the release that trained them stored no hash: {first_few(found.unsealed)}")
    if found.unfinished:
        print(f"unfinished: {first_few(found.unfinished)}")
    return EXIT_DONE


def _train(args: argparse.Namespace, argv: Sequence[str], stop: StopRequest) -> int:
    share_cores()  # before anything imports torch
    from rich.console import Console

    from ensemble.recipe import load_recipe
    from ensemble.report.next_step import blend_members, train_again

    console = Console(highlight=False, soft_wrap=True)
    overrides = [*args.overrides, *([] if args.seed is None else [f"seed={args.seed}"])]
    recipe = load_recipe(args.recipe, overrides)
    whole, command = _read_whole(args, recipe), ["ensemble.train", *argv]
    member = _prepare(args, recipe, whole, overrides=overrides, console=console, command=command)

    from ensemble.training.job import Pacing  # imports torch: what needs no torch was refused before

    pacing = Pacing(stop, args.checkpoint_seconds)
    missing = _train_folds(member, _wanted_folds(args, member.folds), console, pacing, overwrite=args.overwrite)
    step = train_again(args, missing) if missing else blend_members(member.dataset.path, args.runs)
    console.print(f"next: {step}", markup=False)
    return EXIT_DONE


def _read_whole(args: argparse.Namespace, recipe: Recipe) -> Dataset:
    """The dataset, before torch is imported, which takes seconds."""
    from ensemble.dataset import read_dataset
    from ensemble.dataset.medmnist import unpacked

    path = unpacked(_data_path(args, recipe), args.runs)
    _refuse_cache_in(path, args.cache)
    return read_dataset(path)


def _prepare(
    args: argparse.Namespace,
    recipe: Recipe,
    whole: Dataset,
    *,
    overrides: Sequence[str],
    console: Console,
    command: Sequence[str],
) -> Member:
    """Everything that can be refused is refused here, before anything long starts; folds are written last."""
    from ensemble.dataset import check_holdout_groups
    from ensemble.folds import FoldWish, open_folds, preview_folds
    from ensemble.report.start import print_start
    from ensemble.runs import dataset_runs
    from ensemble.training.checks import check_folds, check_recipe, fetch_weights
    from ensemble.training.member import Member
    from ensemble.training.start import check_start

    hardware = _hardware(args, recipe)
    n_classes, title = len(whole.class_names), str(args.recipe)
    runs = dataset_runs(args.runs, whole.name)
    paths = runs.member(args.recipe.stem if args.name is None else args.name)
    wish = FoldWish(recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout, args.folds)
    dataset, planned = preview_folds(runs, whole, wish)
    check_holdout_groups(dataset)
    wanted = _wanted_folds(args, planned)
    check_recipe(recipe, n_classes=n_classes, title=title, labels=dataset.train.labels, device=hardware.device)
    check_folds(recipe, planned, wanted, n_classes=n_classes, title=title)
    check_start(paths, recipe, n_folds=planned.n_folds, overwrite=args.overwrite)
    if args.overwrite or not all(paths.fold(fold).run.exists() for fold in wanted):
        fetch_weights(recipe, n_classes=n_classes, title=title)
    print_start(console, dataset, planned, hardware, results=runs.folder)
    cache = _open_cache(args.cache or runs.cache, dataset, recipe, console)
    dataset, folds = open_folds(runs, whole, wish, planned=planned)
    return Member(recipe, dataset, folds, cache, runs, paths, hardware, command, overrides)


def _data_path(args: argparse.Namespace, recipe: Recipe) -> Path:
    from ensemble.dataset.layout import expected_layout
    from ensemble.errors import RecipeError

    path: Path | None = args.data or recipe.data.path
    if path is None:
        raise RecipeError(
            f"{args.recipe}: data.path is not set. Set it, or give --data DIR.\n{expected_layout(Path('DIR'))}"
        )
    return path


def _refuse_cache_in(dataset: Path, cache: Path | None) -> None:
    from ensemble.errors import DataError
    from ensemble.runs import check_folder

    if cache is None:
        return
    check_folder(cache, "--cache")
    if cache.resolve().is_relative_to(dataset.resolve()):
        raise DataError(f"--cache {cache}: it lies in the dataset's folder {dataset}, which is only read. Name another")


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


def _open_cache(folder: Path, dataset: Dataset, recipe: Recipe, console: Console) -> ImageCache:
    from rich.progress import Progress

    from ensemble.data.cache import build_cache
    from ensemble.training.precision import usable_cores

    files = [split.image_files for split in (dataset.train, dataset.holdout, dataset.test) if split is not None]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("decoding images", total=None)
        return build_cache(
            folder,
            dataset.path,
            [file for part in files for file in part],
            image_size=recipe.data.image_size,
            workers=usable_cores(),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _train_folds(
    member: Member, folds: Sequence[int], console: Console, pacing: Pacing, *, overwrite: bool
) -> list[int]:
    """Train these folds, and merge all if none is missing then; the missing ones are returned."""
    from ensemble.report.progress import FoldProgress
    from ensemble.training.member import finished_folds, merge_member, train_fold
    from ensemble.training.start import start_member

    start_member(member, folds=folds, overwrite=overwrite)
    finished = finished_folds(member.paths, member.folds.n_folds)
    for fold in folds:
        title = f"{member.paths.name} fold {fold}"
        if fold in finished:
            console.print(f"{title}  is finished; --overwrite trains it anew", markup=False)
            continue
        log = member.paths.fold(fold).log
        progress = FoldProgress(console, title=title, epochs=member.recipe.training.epochs, log=log)
        with progress, pacing.stop.patiently():
            train_fold(member, fold, progress, pacing)
    missing = merge_member(member)
    done = f"folds still to train: {', '.join(map(str, missing))}" if missing else "all folds done"
    where = "" if missing else f", tables in {member.paths.folder}"
    console.print(f"{member.paths.name}: {done}{where}", markup=False)
    return missing


if __name__ == "__main__":
    sys.exit(run_command(main))
