"""Draw a phantom dataset: ``python -m ensemble.demo DIR [--size demo|origin]``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, some_positive, whole_number
from ensemble.errors import EXIT_BAD_INPUT, EXIT_DONE, DataError

if TYPE_CHECKING:
    from ensemble.data.phantoms.plan import PhantomSize
    from ensemble.data.phantoms.writing import PhantomDataset

_MOST_IMAGES = 1_000_000

_EXAMPLES = """examples:
  python -m ensemble.demo data/demo                    2,000 train, 500 val, 500 test images of 64 px, in seconds
  python -m ensemble.demo data/origin --size origin    12,000/3,000/5,000 images of 224 px, in minutes
  python -m ensemble.demo --sheet phantoms.png         one picture of many slices

The same command again keeps what is there. The same seed gives the same files."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.demo",
        description="Draw MR-like slices from formulas, with labels whose true probabilities are known.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="the folder to make, e.g. data/demo")
    parser.add_argument(
        "--size",
        choices=("demo", "origin"),
        default="demo",
        help="demo: 3,000 images of 64 px; origin: 20,000 of 224 px (default: demo)",
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="training images instead of the size's; a quarter of it for val and test",
    )
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of everything (default: 0)")
    parser.add_argument(
        "--workers", type=some_positive, metavar="N", help="threads that draw (default: one for each processor)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what DIR holds, and FILE.png")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write one picture of many slices as well")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, draw, print."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.folder is None and args.sheet is None:
        parser.print_usage(sys.stderr)
        sys.stderr.write("error: expected a folder to make, for example data/demo, or --sheet FILE.png\n")
        return EXIT_BAD_INPUT
    if args.folder is not None:
        _draw_dataset(args)
    if args.sheet is not None:
        _draw_sheet(args)
    return EXIT_DONE


def _draw_sheet(args: argparse.Namespace) -> None:
    from ensemble.data.phantoms.sheet import write_sheet

    if args.sheet.is_file() and not args.overwrite:
        print(f"contact sheet: {args.sheet} is there already and was kept; --overwrite replaces it")
        return
    print(f"contact sheet: {write_sheet(args.sheet, seed=args.seed)}")


def _draw_dataset(args: argparse.Namespace) -> None:
    from ensemble.data.phantoms.writing import write_phantoms

    size = _wanted_size(args.size, args.images)
    with _shown_progress() as progress:
        dataset = write_phantoms(
            args.folder, size, seed=args.seed, overwrite=args.overwrite, workers=args.workers, progress=progress
        )
    print("\n".join(_summary(dataset)))


def _wanted_size(name: str, n_images: int | None) -> PhantomSize:
    """One of the named sizes, or as many training images as wished with its pixels."""
    from ensemble.data.phantoms.plan import SIZES, PhantomSize

    named = SIZES[name]
    if n_images is None:
        return named
    if not 4 <= n_images <= _MOST_IMAGES:
        raise DataError(f"--images: expected 4 to {_MOST_IMAGES:,} training images, got {n_images:,}")
    return PhantomSize(train=n_images, holdout=n_images // 4, test=n_images // 4, pixels=named.pixels)


@contextmanager
def _shown_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, a line at every quarter anywhere else."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    if not console.is_terminal:
        yield _lines_at_quarters()
        return
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("drawing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines_at_quarters() -> Callable[[int, int], None]:
    """Prints a line whenever another quarter is done."""
    printed = 0

    def progress(done: int, total: int) -> None:
        nonlocal printed
        if 4 * done // total > printed:
            printed = 4 * done // total
            print(f"drew {done:,} of {total:,} images", flush=True)

    return progress


def _summary(dataset: PhantomDataset) -> Iterator[str]:
    """What was written, what it is like, and the next command."""
    from ensemble.data.phantoms.plan import CLASS_NAMES
    from ensemble.oracle import oracle_macro_f1

    size, train, holdout = dataset.size, dataset.plans["train"], dataset.plans["holdout"]
    if dataset.set_aside is not None:
        yield f"what {dataset.folder} held before is now in {dataset.set_aside}"
    if not dataset.written:
        yield f"{dataset.folder} holds this dataset already and was kept"
    yield (
        f"{dataset.folder}: {size.train:,} train, {size.holdout:,} val and {size.test:,} test images of "
        f"{size.pixels} x {size.pixels} pixels, {len(set(train.groups)):,} patients in train"
    )
    shares = ", ".join(
        f"{name} {share:.0%}" for name, share in zip(CLASS_NAMES, train.labels.mean(axis=0), strict=True)
    )
    healthy = 1.0 - train.labels.any(axis=1).mean()
    yield f"positive in train: {shares}; no finding {healthy:.0%}"
    best_train, best_val = (oracle_macro_f1(plan.labels.astype(float), plan.probabilities) for plan in (train, holdout))
    yield f"macro-F1 of the best possible rule: {best_train:.4f} on train, {best_val:.4f} on val"
    yield "next:"
    folder = shlex.quote(str(dataset.folder))
    yield f"  python -m ensemble.train recipes/demo/cnn2.yaml --all-folds --data {folder}"
    yield f"  python -m ensemble.blend --data {folder}"


if __name__ == "__main__":
    sys.exit(run_command(main))
