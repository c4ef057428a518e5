"""Blend finished members: ``python -m ensemble.blend``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ensemble.command import run_command, whole_number
from ensemble.errors import EXIT_DONE

_EXAMPLES = """examples:
  python -m ensemble.blend                          all finished members of the only dataset
  python -m ensemble.blend vgg14 lstm --name two    two of them: submissions/two.csv
  python -m ensemble.blend --data data/origin --trials 0

Needs no torch: it reads the prediction tables that training left."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.blend",
        description="Average members' probabilities, choose one threshold per class for macro-F1, score it honestly "
        "and write the submission.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("members", nargs="*", metavar="MEMBER", help="members to blend (default: all finished ones)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the dataset's folder (default: the one that was trained on)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="holds the members (default: runs)"
    )
    parser.add_argument("--name", default="blend", metavar="NAME", help="the blend's name (default: blend)")
    parser.add_argument(
        "--submission", type=Path, metavar="FILE", help="the file to send (default: submissions/NAME.csv)"
    )
    parser.add_argument(
        "--trials", type=whole_number, default=100, metavar="N", help="of each Optuna study; 0: none (default: 100)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the Optuna studies (default: 0)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, blend, print."""
    return _blend(build_parser().parse_args(argv))


def _blend(args: argparse.Namespace) -> int:
    from rich.console import Console

    from ensemble.blending import open_source
    from ensemble.evaluation import score_blend
    from ensemble.report.artefacts import write_blend, write_submission_files
    from ensemble.report.terminal import print_report

    submission = _submission_path(args)
    source, runs = open_source(args.runs, args.members, data=args.data)
    paths = runs.blend(args.name)
    card = score_blend(source, trials=args.trials, seed=args.seed, paths=paths)
    write_blend(paths, source=source, card=card)
    refusal = write_submission_files(submission, source=source, card=card)
    console = Console(highlight=False)
    print_report(card.result, console)
    if args.trials:
        print(f"studies     {paths.journal('cold')} and {paths.journal('warm').name} (optuna-dashboard opens them)")
    print(f"blend       {paths.summary}")
    print(f"submission  {submission}" if refusal is None else f"submission  not written: {refusal}")
    return EXIT_DONE


def _submission_path(args: argparse.Namespace) -> Path:
    from ensemble.errors import DataError
    from ensemble.runs import check_folder, check_name

    check_name(args.name, "the blend name")
    path: Path = args.submission or Path("submissions") / f"{args.name}.csv"
    if path.suffix == ".json":
        raise DataError(f"--submission {path}: expected a .csv or .txt file; the .json beside it says how it was made")
    check_folder(path.parent, "the submission's folder")
    if path.is_dir():
        raise DataError(f"--submission {path}: expected a file, but this is a folder. Give FOLDER/NAME.csv")
    there, absent = sorted((path, path.with_suffix(".json")), key=Path.exists, reverse=True)
    if there.exists() and not absent.exists():
        raise DataError(
            f"{there} is there already and is no submission of ours ({absent.name} is not beside it), so it is not "
            "overwritten. Move it away, or give another --submission or --name"
        )
    return path


if __name__ == "__main__":
    sys.exit(run_command(main))
