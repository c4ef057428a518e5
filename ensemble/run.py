"""The whole job in one command: ``python -m ensemble.run recipes/vgg14.yaml recipes/resnet18.yaml``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import positive, run_command, share_cores, whole_number
from ensemble.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EnsembleError,
    RecipeError,
    Unfinished,
    many,
)
from ensemble.report.blend_flags import add_choices, choice_words
from ensemble.stopping import stop_signals
from ensemble.training import flags

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.preparation import Checked
    from ensemble.runs import DatasetRuns
    from ensemble.scheduling.engine import Engine
    from ensemble.scheduling.local import Outcome
    from ensemble.scheduling.plan import PlannedRun
    from ensemble.scheduling.room import Room
    from ensemble.stopping import StopRequest
    from ensemble.training.member import Member

_EXAMPLES = """examples:
  python -m ensemble.run recipes/vgg14.yaml recipes/resnet18.yaml --data my_data
  python -m ensemble.run recipes/*.yaml --data my_data --set training.epochs=5 --time-limit 9h
  python -m ensemble.run recipes/cnn2.yaml recipes/lstm.yaml --dry-run

The same command again goes on where it stopped, and skips what is finished.
Exit codes: 0 all done, 1 a training failed, 2 bad input, 75 stopped before the end."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.run",
        description="Train every fold of every recipe that is not finished, blend the members, report, write the "
        "submission.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE", help="recipe files: a member each")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and stop")
    parser.add_argument(
        "--max-parallel", type=positive, metavar="N", help="trainings at once (default: what fits; more share the GPUs)"
    )
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="what runs the trainings (default: local)"
    )
    parser.add_argument(
        "--address", metavar="ADDRESS", help="a Ray cluster's: auto, HOST:PORT or ray://HOST:PORT (default: Ray here)"
    )
    training = parser.add_argument_group("training (as for ensemble.train)")
    training.add_argument("--fold", type=whole_number, action="append", metavar="K", help="only this; may be repeated")
    flags.add_shared(training)
    blending = parser.add_argument_group("blending (as for ensemble.blend)")
    blending.add_argument("--name", metavar="NAME", help="the blend's name (default: blend)")
    blending.add_argument(
        "--submission", type=Path, metavar="FILE", help="the file to send (default: submissions/NAME.csv)"
    )
    add_choices(blending)
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, plan, train, blend."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if twice := sorted({path.stem for path in args.recipes if [one.stem for one in args.recipes].count(path.stem) > 1}):
        parser.error(f"two recipes are called {twice[0]}: members are named by their recipe's file")
    if args.address is not None and args.engine != "ray":
        parser.error("--address is that of a Ray cluster: give --engine ray, too")
    share_cores()  # before anything imports torch
    from ensemble.scheduling.engine import choose_engine

    engine = choose_engine(args.engine, args.address)
    with stop_signals(args.time_limit) as stop:
        return _run(args, stop, engine)


def _run(args: argparse.Namespace, stop: StopRequest, engine: Engine) -> int:
    from ensemble.preparation import chosen_folds
    from ensemble.report.console import open_console
    from ensemble.report.run_view import print_plan
    from ensemble.report.submission_place import refuse_other_work, submission_place
    from ensemble.runs import check_name

    console = open_console(soft_wrap=True)
    checked = _check_all(args)
    first = next(iter(checked.values()))
    runs, folds = first.runs, chosen_folds(args.fold, first.folds.n_folds)
    if args.fold is None:  # so it ends with a blend
        name = check_name(args.name or "blend", "the blend name")
        refuse_other_work(submission_place(args.submission, name), first.whole.name, runs)
    room = _room(args, runs, checked, engine)
    planned = _plan(args, runs, list(checked), folds=folds, room=room)
    print_plan(console, planned, at_once=room.at_once, each=room.each())
    if args.dry_run:
        return EXIT_DONE
    from ensemble.scheduling.order import longest_first

    members = _prepare_all(args, checked, room, console)
    recipes = {name: one.recipe for name, one in checked.items()}
    planned = longest_first(planned, recipes, n_classes=len(members[0].dataset.class_names))
    outcomes = _train(planned, room, stop, console, engine)
    if failed := [outcome for outcome in outcomes if not outcome.done and not outcome.unfinished]:
        return _report_failures(failed, console)
    if stop.reason or not all(outcome.done for outcome in outcomes):
        done = sum(outcome.done for outcome in outcomes)
        by = f" by {stop.reason}" if stop.reason else ""
        raise Unfinished(
            f"stopped{by} after {many(done, 'training')} of {sum(not run.finished for run in planned)}; everything is "
            "saved, and the same command goes on"
        )
    return _finish(args, members, console)


def _check_all(args: argparse.Namespace) -> dict[str, Checked]:
    """Every recipe with the dataset: all that is wrong is said at once, before anything starts."""
    from ensemble.preparation import check_member, one_dataset, read_whole, refuse_other_folds
    from ensemble.recipe import load_recipe

    recipes, problems, checked = {}, [], {}
    for path in args.recipes:
        try:
            recipes[path] = load_recipe(path, _overrides(args))
        except EnsembleError as error:
            problems.append(str(error))
    if not problems:
        args.data = one_dataset(args.data, recipes)  # told to every training, whatever its recipe says
        whole = read_whole(_train_arguments(args, args.recipes[0]), recipes[args.recipes[0]])
        for path, recipe in recipes.items():
            try:
                checked[path.stem] = check_member(_train_arguments(args, path), recipe, whole)
            except EnsembleError as error:
                problems.append(str(error))
    if problems:
        raise RecipeError.gather("nothing was started", problems)
    refuse_other_folds(dict(zip(args.recipes, checked.values(), strict=True)))
    return checked


def _overrides(args: argparse.Namespace) -> list[str]:
    return [*args.overrides, *([] if args.seed is None else [f"seed={args.seed}"])]


def _train_arguments(args: argparse.Namespace, recipe: Path) -> argparse.Namespace:
    return flags.build_parser().parse_args([*_train_words(args, recipe), "--all-folds"])


def _train_words(args: argparse.Namespace, recipe: Path) -> list[str]:
    """The command line of ``ensemble.train``, but for the fold and the threads."""
    return [str(recipe), *flags.shared_words(args)]


def _room(args: argparse.Namespace, runs: DatasetRuns, checked: dict[str, Checked], engine: Engine) -> Room:
    """Threads of each training (None for a GPU each), and how many fit."""
    from ensemble.scheduling.room import Wish

    here = next(iter(checked.values()))
    wish = Wish(args.device, here.hardware.device, args.threads, args.max_parallel, runs.schedule, not args.dry_run)
    return engine.room(wish, trainings=len(checked) * here.folds.n_folds)


def _plan(
    args: argparse.Namespace, runs: DatasetRuns, names: Sequence[str], *, folds: Sequence[int], room: Room
) -> list[PlannedRun]:
    from ensemble.scheduling.plan import plan_runs

    threads = room.threads or args.threads
    own = [] if threads is None else ["--threads", str(threads)]
    own += [] if room.device == args.device else ["--device", room.device]  # the last one counts
    members = {name: [*_train_words(args, path), *own] for name, path in zip(names, args.recipes, strict=True)}
    return plan_runs(runs, members, folds)


def _prepare_all(args: argparse.Namespace, checked: dict[str, Checked], room: Room, console: Console) -> list[Member]:
    """Folds and decoded images, once for all: the trainings find them."""
    from rich.console import Console as Quiet

    from ensemble.preparation import prepare_member

    members, seen = [], set()
    for path, checked_one in zip(args.recipes, checked.values(), strict=True):
        one = checked_one.with_threads(room.threads)
        size = one.recipe.data.image_size
        shown = Quiet(quiet=True) if size in seen else console
        seen.add(size)
        words, command = _train_arguments(args, path), ["ensemble.run", *map(str, args.recipes)]
        members.append(prepare_member(one, words, shown, overrides=_overrides(args), command=command))
    return members


def _train(
    planned: Sequence[PlannedRun], room: Room, stop: StopRequest, console: Console, engine: Engine
) -> list[Outcome]:
    from ensemble.report.run_view import RunView

    todo = [run for run in planned if not run.finished]
    if not todo:
        return []
    with RunView(console, planned, at_once=room.at_once) as view, stop.patiently():
        return engine.run_all(todo, room, stop, view)


def _report_failures(failed: Sequence[Outcome], console: Console) -> int:
    from ensemble.report.run_view import print_failures

    print_failures(console, failed)
    sys.stdout.flush()
    sys.stderr.write(
        f"error: {many(len(failed), 'training')} failed, named above; the others are finished or saved. No blend was "
        "made. The same command trains what is missing\n"
    )
    return EXIT_FAILED


def _finish(args: argparse.Namespace, members: Sequence[Member], console: Console) -> int:
    """Merge what is not merged, and blend."""
    from ensemble import blend
    from ensemble.training.member import merge_member

    missing = {member.paths.name: merge_member(member) for member in members}
    if any(missing.values()):
        left = "; ".join(f"{name}: {', '.join(map(str, folds))}" for name, folds in missing.items() if folds)
        console.print(f"no blend yet: it needs all folds. Still to train: {left}", markup=False)
        return EXIT_DONE
    return blend.main([*missing, "--data", str(members[0].dataset.path), "--runs", str(args.runs), *_blend_words(args)])


def _blend_words(args: argparse.Namespace) -> list[str]:
    words = [word for name in ("name", "submission") if (value := getattr(args, name)) for word in (f"--{name}", value)]
    return [*map(str, words), *choice_words(args)]


if __name__ == "__main__":
    sys.exit(run_command(main))
