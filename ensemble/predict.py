"""Decide on new images by a blend: ``python -m ensemble.predict IMAGES --blend runs/<dataset>/blends/<name>``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command, share_cores
from ensemble.errors import EXIT_DONE, EXIT_FAILED, printable

if TYPE_CHECKING:
    from rich.console import Console

    from ensemble.evaluation.stored import StoredBlend
    from ensemble.prediction.images import ImageList
    from ensemble.prediction.members import MemberFiles
    from ensemble.prediction.output import PredictionWriter

_EXAMPLES = """examples:
  python -m ensemble.predict new_scans --blend runs/my_data/blends/blend --out decisions.csv
  python -m ensemble.predict my_data/sample_submission.csv --blend runs/my_data/blends/blend --out again.csv
  python -m ensemble.predict ids.csv --images new_scans --blend runs/my_data/blends/blend --probabilities

Images that cannot be read are left out, listed in NAME.unreadable.csv, and make the exit code 1."""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags; they mean the same in every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.predict",
        description="Decide on new images by a blend of trained members: as its submission decides.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", type=Path, metavar="IMAGES", help="a folder, an image, a CSV of ids or paths, or a MedMNIST .npz"
    )
    parser.add_argument("--blend", type=Path, required=True, metavar="DIR", help="runs/<dataset>/blends/<name>")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the decisions (default: predictions/IMAGES.csv in the blend's folder)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there under that name")
    parser.add_argument("--probabilities", action="store_true", help="write NAME.probabilities.csv as well")
    parser.add_argument("--tta", choices=("hflip",), help="average each image with its mirror image")
    parser.add_argument("--images", type=Path, metavar="DIR", help="where a CSV's images lie (default: beside it)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, … or mps (default: auto)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse, predict, print."""
    args = build_parser().parse_args(argv)
    share_cores()  # before anything imports torch
    from ensemble.evaluation.stored import read_blend
    from ensemble.prediction.images import find_images
    from ensemble.prediction.members import open_members
    from ensemble.prediction.output import check_output
    from ensemble.report.console import open_console

    console = open_console(soft_wrap=True)
    blend = read_blend(args.blend)
    out = args.out or blend.paths.predictions(args.source.resolve().stem)
    check_output(out, args.source, probabilities=args.probabilities, overwrite=args.overwrite)
    images = find_images(args.source, blend.class_names, root=args.images, runs=blend.paths.runs)
    files = open_members(blend)
    _say_start(console, blend, files, images, tta=args.tta)
    writer = _predict(args, out, blend, files=files, images=images, console=console)
    return _say_end(console, writer, len(images.files), probabilities=args.probabilities)


def _predict(
    args: argparse.Namespace,
    out: Path,
    blend: StoredBlend,
    *,
    files: Sequence[MemberFiles],
    images: ImageList,
    console: Console,
) -> PredictionWriter:
    from ensemble.prediction.models import load_member
    from ensemble.prediction.output import PredictionWriter
    from ensemble.prediction.stream import predict_stream
    from ensemble.report.counting import counted
    from ensemble.training.precision import choose_device, usable_cores

    device = choose_device(args.device)
    members = [load_member(one, blend.class_names, device, mirrored=args.tta is not None) for one in files]
    with (
        PredictionWriter(out, images, blend.class_names, probabilities=args.probabilities) as writer,
        counted(console, "predicted", len(images.files)) as advance,
    ):
        for predicted in predict_stream(blend, members, images.files, workers=usable_cores()):
            writer.write(predicted)
            advance(predicted.images)
    return writer


def _say_start(
    console: Console, blend: StoredBlend, files: Sequence[MemberFiles], images: ImageList, *, tta: str | None
) -> None:
    from ensemble.errors import many

    names = ", ".join(one.name for one in files)
    console.print(
        f"{many(len(images.files), 'image')} by {many(len(files), 'member')} of {many(blend.n_folds, 'fold')} each "
        f"({names}), {blend.chain.combination.name}",
        markup=False,
    )
    for remark in images.remarks:
        console.print(f"remark: {remark}", markup=False)
    if blend.thresholds_by is not None:
        console.print(
            f"note: thresholds by {blend.thresholds_by}, made of all test rows of the blend; they are used as stored",
            markup=False,
        )
    if tta is not None and (without := [one.name for one in files if not one.mirrored]):
        console.print(
            f"note: thresholds were chosen without --tta {tta} for {', '.join(without)}; decisions can differ from the "
            "submission's",
            markup=False,
        )


def _say_end(console: Console, writer: PredictionWriter, n_images: int, *, probabilities: bool) -> int:
    from ensemble.errors import many
    from ensemble.prediction.output import companion
    from ensemble.tables import shortened

    console.print(f"decisions      {writer.out}", markup=False)
    if probabilities:
        console.print(f"probabilities  {companion(writer.out, 'probabilities')}", markup=False)
    if not writer.unreadable:
        return EXIT_DONE
    shown = shortened([problem for _, problem in writer.unreadable])
    said = (
        f"error: {len(writer.unreadable):,} of {many(n_images, 'image')} could not be read and "
        f"{'has' if len(writer.unreadable) == 1 else 'have'} no decision: {shown}. All of them: "
        f"{companion(writer.out, 'unreadable')}\n"
    )
    sys.stderr.write(printable(said))
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(run_command(main))
