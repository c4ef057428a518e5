"""What ``train`` and ``run`` do before anything is trained: refuse what cannot work, decode images, write folds."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ensemble.errors import FoldError, RecipeError

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.data.cache import ImageCache
    from ensemble.dataset import Dataset
    from ensemble.folds import FoldFile, FoldWish
    from ensemble.recipe import Recipe
    from ensemble.runs import DatasetRuns, MemberPaths
    from ensemble.training.job import Hardware
    from ensemble.training.member import Member


class Checked(NamedTuple):
    """A recipe and a dataset that go together, and where their results will lie. Nothing is written yet.

    Attributes:
        whole: As it was read.
        dataset: Its rows as the folds divide them.
        folds: Those that stand, or will be written.
    """

    recipe: Recipe
    whole: Dataset
    dataset: Dataset
    folds: FoldFile
    wish: FoldWish
    runs: DatasetRuns
    paths: MemberPaths
    hardware: Hardware

    def with_threads(self, threads: int | None) -> Checked:
        """For trainings that get so many threads each; None: as many as ours."""
        return self if threads is None else self._replace(hardware=replace(self.hardware, threads=threads))


def read_whole(args: argparse.Namespace, recipe: Recipe) -> Dataset:
    """The dataset, before torch is imported, which takes seconds.

    Raises:
        EnsembleError: It cannot be read, or nothing says where it lies.
    """
    from ensemble.dataset import read_dataset
    from ensemble.dataset.medmnist import unpacked

    path = unpacked(_data_path(args.recipe, args.data, recipe), args.runs)
    _refuse_cache_in(path, args.cache)
    return read_dataset(path)


def check_member(args: argparse.Namespace, recipe: Recipe, whole: Dataset) -> Checked:
    """Everything that can be refused is refused here, before anything long starts.

    Args:
        args: Of ``ensemble.train``.
        recipe: Resolved.
        whole: From ``read_whole``.

    Raises:
        EnsembleError: Recipe, dataset, folds, device or what stands of the member do not go together.
    """
    from ensemble.dataset import check_holdout_groups
    from ensemble.folds import FoldWish, preview_folds
    from ensemble.runs import dataset_runs
    from ensemble.training.checks import check_folds, check_recipe, fetch_weights
    from ensemble.training.sharing import check_sharing
    from ensemble.training.start import check_start

    hardware = _hardware(args, recipe)
    n_classes, title = len(whole.class_names), str(args.recipe)
    runs = dataset_runs(args.runs, whole.name, outside=whole.path)
    paths = runs.member(args.recipe.stem if args.name is None else args.name)
    wish = FoldWish(recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout, args.folds)
    dataset, planned = preview_folds(runs, whole, wish)
    check_holdout_groups(dataset)
    wanted = wanted_folds(args, planned)
    check_recipe(recipe, n_classes=n_classes, title=title, labels=dataset.train.labels, device=hardware.device)
    check_sharing(recipe, hardware, n_classes=n_classes, title=title)
    check_folds(recipe, planned, wanted, n_classes=n_classes, title=title)
    check_start(paths, recipe, n_folds=planned.n_folds, overwrite=args.overwrite)
    if args.overwrite or not all(paths.fold(fold).run.exists() for fold in wanted):
        fetch_weights(recipe, n_classes=n_classes, title=title)
    return Checked(recipe, whole, dataset, planned, wish, runs, paths, hardware)


def prepare_member(
    checked: Checked,
    args: argparse.Namespace,
    console: Console,
    *,
    overrides: Sequence[str],
    command: Sequence[str],
) -> Member:
    """Decode the images where that is still to do, and write the folds, last.

    Args:
        checked: From ``check_member``.
        args: Of ``ensemble.train``.
        console: Shows what is there, and the progress.
        overrides: What ``--set`` changed, for the stored recipe.
        command: The command line, for ``run.json``.
    """
    from ensemble.folds import open_folds
    from ensemble.report.start import print_start
    from ensemble.training.member import Member

    recipe, runs, hardware = checked.recipe, checked.runs, checked.hardware
    print_start(console, checked.dataset, checked.folds, hardware, results=runs.folder)
    cache = _open_cache(args.cache or runs.cache, checked.dataset, recipe, console)
    dataset, folds = open_folds(runs, checked.whole, checked.wish, planned=checked.folds)
    return Member(recipe, dataset, folds, cache, runs, checked.paths, hardware, command, overrides)


def refuse_other_folds(checked: Mapping[Path, Checked]) -> None:
    """All members share the folds that the first one makes: see that no other recipe asks for different ones.

    Args:
        checked: By recipe file; at least one.

    Raises:
        FoldError: Naming each that does.
    """
    from ensemble.folds.wish import differences, merge_wishes

    (first, makes), *others = checked.items()
    problems = [
        f"{path}: {problem}"
        for path, one in others
        for problem in differences(merge_wishes(one.whole, one.wish), makes.folds, have="have")
    ]
    if problems:
        raise FoldError.gather(
            f"nothing was started: all members share the folds that {first} asks for. Make the recipes agree, or leave "
            "these keys out of all but the first",
            problems,
        )


def one_dataset(given: Path | None, recipes: Mapping[Path, Recipe]) -> Path:
    """The folder or MedMNIST file of the dataset that several recipes are to be trained on.

    Args:
        given: By ``--data``; None: what the recipes say.
        recipes: At least one, by their files.

    Raises:
        RecipeError: One says nothing, or they do not say the same.
    """
    paths = {file: _data_path(file, given, recipe) for file, recipe in recipes.items()}
    if len({path.resolve() for path in paths.values()}) > 1:
        said = "; ".join(f"{path} in {file}" for file, path in paths.items())
        raise RecipeError(
            f"nothing was started: expected recipes of one dataset, got data.path: {said}. Give --data DIR, for all of "
            "them, or run those of each dataset by themselves"
        )
    return next(iter(paths.values()))


def _data_path(recipe_file: Path, given: Path | None, recipe: Recipe) -> Path:
    from ensemble.dataset.layout import expected_layout

    path = given or recipe.data.path
    if path is None:
        raise RecipeError(
            f"{recipe_file}: data.path is not set. Set it, or give --data DIR.\n{expected_layout(Path('DIR'))}"
        )
    return path


def _refuse_cache_in(dataset: Path, cache: Path | None) -> None:
    from ensemble.runs import check_folder, check_outside

    if cache is not None:
        check_folder(cache, "--cache")
        check_outside(cache, dataset, "--cache")


def _hardware(args: argparse.Namespace, recipe: Recipe) -> Hardware:
    import torch

    from ensemble.processes import place
    from ensemble.training.job import Hardware
    from ensemble.training.precision import choose_device, choose_precision, usable_cores

    device, here = choose_device(args.device), place()
    threads = args.threads or max(1, usable_cores() // here.local_count)
    torch.set_num_threads(threads)
    workers = args.workers
    if workers is None:
        # On a CPU the step itself uses all cores, and workers would only take them away.
        workers = 0 if device.type == "cpu" else min(8, max(1, threads - 1))
    return Hardware(device, choose_precision(recipe.precision, device), workers, threads, processes=here.count)


def wanted_folds(args: argparse.Namespace, folds: FoldFile) -> list[int]:
    """The folds that ``train`` was asked for.

    Raises:
        FoldError: There is no such fold.
    """
    return chosen_folds(None if args.all_folds else [args.fold], folds.n_folds)


def chosen_folds(wanted: Collection[int] | None, n_folds: int) -> list[int]:
    """Folds in ascending order, each once.

    Args:
        wanted: By ``--fold``; None: all.
        n_folds: How many there are.

    Raises:
        FoldError: There is no such fold.
    """
    if wanted is None:
        return list(range(n_folds))
    if unknown := [fold for fold in wanted if not 0 <= fold < n_folds]:
        raise FoldError(f"--fold {unknown[0]}: expected 0 to {n_folds - 1}, for the dataset has {n_folds} folds")
    return sorted(set(wanted))


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
