"""Compare finished members: ``python -m ensemble.compare``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ensemble.command import run_command, whole_number
from ensemble.errors import EXIT_DONE

_MOST_RESAMPLES = 100_000  # their sums are held in memory, a number for each class, member and pair
_EXAMPLES = """examples:
  python -m ensemble.compare                        all finished members of the only dataset
  python -m ensemble.compare vgg14 lstm cnn2        three of them
  python -m ensemble.compare --out tables           comparison.md and .csv files into tables/

Needs no torch: it reads the prediction tables, recipes and facts that training left. docs/compare.md says what every
column means, and what an interval does and does not cover."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.compare",
        description="Rank members by cross-fitted macro-F1, with intervals, and say which differences can be told from "
        "chance, how alike members err and what a blend loses without each.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("members", nargs="*", metavar="MEMBER", help="members to compare (default: all finished ones)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder (default: the one that was trained on)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="holds the members (default: runs)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="for the Markdown and CSV files (default: runs/<dataset>/comparison)"
    )
    parser.add_argument(
        "--resamples", type=whole_number, default=2000, metavar="N", help="of the bootstrap (default: 2000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: 0)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, compare, print."""
    return _compare(build_parser().parse_args(argv))


def _compare(args: argparse.Namespace) -> int:
    from ensemble.blending import open_source
    from ensemble.errors import DataError
    from ensemble.evaluation import compare_members
    from ensemble.report.comparison import print_comparison
    from ensemble.report.comparison_files import check_place, write_comparison
    from ensemble.report.console import open_console
    from ensemble.runs import ComparisonPaths, check_folder

    if not 1 <= args.resamples <= _MOST_RESAMPLES:
        raise DataError(
            f"--resamples {args.resamples}: expected 1 to {_MOST_RESAMPLES}; 2000 are enough for intervals that stand"
        )
    if args.out is not None:
        check_folder(args.out, "--out")
        check_place(ComparisonPaths(args.out))
    source, runs = open_source(args.runs, args.members, data=args.data, writes=args.out)
    comparison = compare_members(source, runs, n_resamples=args.resamples, seed=args.seed)
    paths = runs.comparison if args.out is None else ComparisonPaths(args.out)
    write_comparison(paths, comparison)
    print_comparison(comparison, open_console())
    print(f"written     {paths.markdown} and {paths.members.stem}*.csv beside it")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
