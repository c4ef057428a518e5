"""Train the folds of one recipe: ``python -m ensemble.train recipes/vgg14.yaml --fold 0``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, share_cores
from ensemble.errors import EXIT_BAD_INPUT, EXIT_DONE, OutOfMemory, StorageError, Unfinished, WorkerDied
from ensemble.processes import place, refuse_several
from ensemble.stopping import stop_signals
from ensemble.training.flags import build_parser

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.stopping import StopRequest
    from ensemble.training.job import Observer, Pacing
    from ensemble.training.member import Member
    from ensemble.training.team import Team


def main(argv: Sequence[str]) -> int:
    """Parse, train, print."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.list or args.copy or args.verify is not None:
        refuse_several("this")
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
    share_cores()  # before anything imports torch
    with stop_signals(args.time_limit) as stop, _team(args) as team:
        return _train(args, argv, stop, team)


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
    if found.foreign:
        below = [str(path.relative_to(folder) if path.is_relative_to(folder) else path) for path in found.foreign]
        print(f"not written by training, and read by nothing: {first_few(below)}")
    return EXIT_DONE


def _team(args: argparse.Namespace) -> AbstractContextManager[Team]:
    """Whom torchrun has started with us; alone, torch is not imported for it."""
    from ensemble.training.team import ALONE

    if (here := place()).count == 1:
        return nullcontext(ALONE)
    from ensemble.training.torchrun import joined

    return joined(here, args.device)


def _train(args: argparse.Namespace, argv: Sequence[str], stop: StopRequest, team: Team) -> int:
    from ensemble.preparation import check_member, prepare_member, read_whole
    from ensemble.recipe import load_recipe
    from ensemble.report.console import open_console
    from ensemble.report.next_step import blend_members, train_again

    console = open_console(soft_wrap=True)
    console.quiet = not team.leads
    overrides = [*args.overrides, *([] if args.seed is None else [f"seed={args.seed}"])]
    own = argparse.Namespace(**{**vars(args), "device": team.device or args.device})
    with team.leader_first():
        recipe = load_recipe(args.recipe, overrides)
        whole, command = read_whole(own, recipe), ["ensemble.train", *argv]
        checked = check_member(own, recipe, whole)
        member = prepare_member(checked, own, console, overrides=overrides, command=command)

    from ensemble.training.job import Pacing  # imports torch: what needs no torch was refused before

    pacing = Pacing(stop, args.checkpoint_seconds)
    missing = _train_folds(member, console, pacing, args=args, team=team)
    step = train_again(args, missing) if missing else blend_members(member.dataset.path, args.runs)
    console.print(f"next: {step}", markup=False)
    return EXIT_DONE


def _train_folds(
    member: Member, console: Console, pacing: Pacing, *, args: argparse.Namespace, team: Team
) -> list[int]:
    """Train the folds that are asked for, and merge all if none is missing then; the missing ones are returned."""
    from ensemble.preparation import wanted_folds
    from ensemble.training.member import finished_folds, merge_member, train_fold
    from ensemble.training.start import start_member

    folds = wanted_folds(args, member.folds)
    if team.leads:
        start_member(member, folds=folds, overwrite=args.overwrite)
    finished = team.from_leader(lambda: finished_folds(member.paths, member.folds.n_folds))
    for fold in folds:
        title = f"{member.paths.name} fold {fold}"
        if fold in finished:
            console.print(f"{title}  is finished; --overwrite trains it anew", markup=False)
            continue
        shown = _shown(member, fold, console, args=args, team=team)
        with shown as observer, pacing.stop.patiently(), _kept(args):
            train_fold(member, fold, observer, pacing, team)
    missing = team.from_leader(lambda: merge_member(member))
    done = f"folds still to train: {', '.join(map(str, missing))}" if missing else "all folds done"
    where = "" if missing else f", tables in {member.paths.folder}"
    console.print(f"{member.paths.name}: {done}{where}", markup=False)
    return missing


@contextmanager
def _kept(args: argparse.Namespace) -> Iterator[None]:
    """The same command goes on with what it has kept, but not with --overwrite."""
    try:
        yield
    except (Unfinished, OutOfMemory, StorageError, WorkerDied) as error:
        if args.overwrite:
            error.args = (f"{error}. With this recipe leave --overwrite out then: it would discard what was kept",)
        raise


@contextmanager
def _shown(member: Member, fold: int, console: Console, *, args: argparse.Namespace, team: Team) -> Iterator[Observer]:
    from ensemble.report.progress import FoldProgress
    from ensemble.training.job import SilentObserver
    from ensemble.training.progress_file import ProgressFile

    if not team.leads:
        yield SilentObserver()
        return
    epochs, title = member.recipe.training.epochs, f"{member.paths.name} fold {fold}"
    with FoldProgress(console, title=title, epochs=epochs, log=member.paths.fold(fold).log) as progress:
        yield ProgressFile(progress, args.progress, epochs=epochs) if args.progress else progress


if __name__ == "__main__":
    sys.exit(run_command(main, together=True))
