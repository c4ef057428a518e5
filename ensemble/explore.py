"""Look through a dataset before training: ``python -m ensemble.explore DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, some, whole_number
from ensemble.errors import EXIT_DONE, DataError, many

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.data.audit.story import Folds
    from ensemble.dataset import Dataset
    from ensemble.findings import Findings
    from ensemble.runs import DatasetRuns

_EXAMPLES = """examples:
  python -m ensemble.explore data/origin                 tables here, figures in runs/origin/explore.html
  python -m ensemble.explore data/origin --out look.html
  python -m ensemble.explore data/origin --check         only whether everything fits together

The dataset's folder is only read, and folds are shown, not written."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.explore",
        description="Say what is in a dataset, as tables and one page of figures, and warn of traps: images that come "
        "twice, groups across splits, classes too rare, files that tell the label.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the dataset's folder, or a MedMNIST file (.npz)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="only check tables, ids, template, groups, dataset.yaml and the heads of the images; exit code 2 if "
        "something is wrong",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the page (default: explore.html in the dataset's folder below runs)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="holds the folds, if any (default: runs)"
    )
    parser.add_argument("--folds", type=Path, metavar="FILE", help="a fold file of your own: image_id, fold[, group]")
    parser.add_argument(
        "--workers", type=some, metavar="N", help="threads that read images (default: one for each processor)"
    )
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help="chooses the examples (default: 0)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, look, print."""
    args = build_parser().parse_args(argv)
    from ensemble.dataset.medmnist import unpacked

    args.folder = unpacked(args.folder, args.runs)
    return _check(args) if args.check else _explore(args)


def _check(args: argparse.Namespace) -> int:
    """Everything that training would refuse, without decoding the images; a problem is an error, as anywhere."""
    from ensemble.data.audit import traps_in_tables
    from ensemble.data.audit.headers import check_headers
    from ensemble.dataset import check_holdout_groups, read_dataset
    from ensemble.report.console import open_console
    from ensemble.report.explore_terminal import print_traps
    from ensemble.runs import dataset_runs

    if args.out is not None:
        raise DataError("--check writes no page: leave --out away")
    dataset = read_dataset(args.folder)
    if dataset.holdout_wanted is not False:
        check_holdout_groups(dataset)
    there = [split for split in (dataset.train, dataset.holdout, dataset.test) if split is not None]
    files = [file for split in there for file in split.image_files.tolist()]
    check_headers(dataset.path, files, workers=args.workers or None)
    divided, folds = _folds(args, dataset, dataset_runs(args.runs, dataset.name))
    print_traps(traps_in_tables(divided, folds), open_console())
    print(f"nothing wrong in {args.folder}: {many(len(files), 'image')} found, their heads are sound")
    return EXIT_DONE


def _explore(args: argparse.Namespace) -> int:
    from ensemble.dataset import read_dataset
    from ensemble.report.console import open_console
    from ensemble.report.explore_page import write_page
    from ensemble.report.explore_terminal import print_findings
    from ensemble.runs import dataset_runs

    dataset = read_dataset(args.folder)
    runs = dataset_runs(args.runs, dataset.name)
    page = _page_path(args, runs)
    console = open_console()
    findings = _look(args, dataset, runs, console)
    write_page(page, findings)
    print_findings(findings, console)
    print(f"page        {page}")
    return EXIT_DONE


def _page_path(args: argparse.Namespace, runs: DatasetRuns) -> Path:
    """Where the page goes; refused before anything long starts."""
    from ensemble.report.explore_page import is_page
    from ensemble.runs import check_folder, check_outside

    path: Path = args.out or runs.explore_page
    if path.is_dir():
        raise DataError(f"--out {path}: expected a file, but this is a folder. Give FOLDER/NAME.html")
    if path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"--out {path}: the page is HTML: expected a name that ends in .html")
    check_folder(path.parent, "the page's folder")
    check_outside(path, args.folder, "the page")
    if path.exists() and not is_page(path):
        raise DataError(
            f"{path} is there already and is no page of this command, so it is not overwritten. Move it away, or give "
            "another --out"
        )
    return path


def _look(args: argparse.Namespace, dataset: Dataset, runs: DatasetRuns, console: Console) -> Findings:
    from rich.progress import Progress

    from ensemble.data.audit import audit

    divided, folds = _folds(args, dataset, runs)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading images", total=None)
        return audit(
            divided,
            folds,
            seed=args.seed,
            workers=args.workers or None,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _folds(args: argparse.Namespace, dataset: Dataset, runs: DatasetRuns) -> tuple[Dataset, Folds]:
    """The dataset as it is divided and its folds; where there can be none, why. ``--folds`` and ``--check`` refuse."""
    from ensemble.data.audit.story import Folds
    from ensemble.errors import ArtefactError, FoldError
    from ensemble.folds import FoldWish, preview_folds

    try:
        divided, folds = preview_folds(runs, dataset, FoldWish(file=args.folds))
    except (FoldError, ArtefactError) as error:
        if args.folds is not None or (args.check and (dataset.n_folds is not None or runs.folds_csv.exists())):
            raise  # else a recipe may say another number of folds
        return dataset, Folds(None, "none", f"no folds are shown: {error}")
    made = f"{folds.n_folds} folds of {runs.folds_csv}" if folds.sha256 else _would_be(folds.n_folds, folds.fold_seed)
    joined = ", the holdout's rows among them" if folds.holdout_in_folds else ""
    return divided, Folds(folds, f"{made}{joined}")


def _would_be(n_folds: int, seed: int | None) -> str:
    how = "from --folds" if seed is None else f"stratified with seed {seed}"
    return f"the {n_folds} folds that training would make ({how}); they are not written yet"


if __name__ == "__main__":
    sys.exit(run_command(main))
