"""Blend members: ``python -m ensemble.blend``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.command import run_command
from ensemble.errors import EXIT_DONE, printable
from ensemble.report.blend_flags import build_parser

if TYPE_CHECKING:
    from ensemble.evaluation import BlendWishes
    from ensemble.runs import BlendPaths

_OURS = ("data", "runs", "name", "submission")
_FOREIGN = (
    "labels",
    "groups",
    "folds",
    "n_folds",
    "test",
    "test_groups",
    "template",
    "scale",
    "only_common_rows",
    "ignore_extra_columns",
    "out",
)


def main(argv: Sequence[str]) -> int:
    """Parse, blend, print."""
    parser = build_parser()
    args = parser.parse_args(argv)
    _check_form(parser, args)
    return _blend(args) if args.oof is None else _blend_tables(args)


def _check_form(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """The two forms of the command share no files."""
    given = [name for name in (*_OURS, *_FOREIGN) if not (getattr(args, name) is None or getattr(args, name) is False)]
    strangers = [name for name in given if name in (_FOREIGN if args.oof is None else _OURS)]
    flags = ", ".join("--" + name.replace("_", "-") for name in strangers)
    if strangers and args.oof is None:
        parser.error(f"{flags}: only with --oof DIR, the folder of the members' tables")
    if strangers:
        parser.error(f"{flags}: not with --oof, whose tables need no dataset and write into --out DIR")
    if args.oof is None:
        return
    if missing := [f"--{name}" for name in ("labels", "out") if getattr(args, name) is None]:
        parser.error(f"--oof needs {' and '.join(missing)}, too")
    if args.test is None and (args.template or args.test_groups):
        parser.error("--template and --test-groups need --test DIR, the members' tables of the test rows")


def _wishes(args: argparse.Namespace) -> BlendWishes:
    from ensemble.evaluation import BlendWishes
    from ensemble.metric import Metric

    metric = Metric(args.metric) if args.beta is None else Metric(args.metric, args.beta)
    return BlendWishes(
        metric,
        args.combine,
        args.thresholds,
        args.seed,
        args.trials,
        at_least_one=args.at_least_one,
        exclusive=args.exclusive,
        correct_for_mean=args.match_fold_models,
        match_test_rate=args.match_test_rate,
    )


def _blend(args: argparse.Namespace) -> int:
    from ensemble.blending import open_source
    from ensemble.evaluation import score_blend
    from ensemble.files import locked, remove_leftovers
    from ensemble.files_together import written_together
    from ensemble.report.artefacts import write_blend, write_submission_files
    from ensemble.report.console import open_console
    from ensemble.report.submission_place import refuse_other_work, submission_place
    from ensemble.report.terminal import print_report
    from ensemble.runs import check_name

    wishes = _wishes(args)
    name = check_name("blend" if args.name is None else str(args.name), "the blend name")
    submission = submission_place(args.submission, name)
    source, runs = open_source(args.runs or Path("runs"), args.members, data=args.data, writes=submission)
    refuse_other_work(submission, source.name, runs)
    paths = runs.blend(name)
    with locked(paths.lock):
        remove_leftovers(paths.folder)
        with written_together():
            card = score_blend(source, wishes, paths=paths)
            write_blend(paths, source=source, card=card)
        refusal = write_submission_files(submission, source=source, card=card)
    print_report(card.result, open_console(), card.curves)
    _say_where(paths, submission=submission, refusal=refusal)
    return EXIT_DONE


def _blend_tables(args: argparse.Namespace) -> int:
    from ensemble.blending import TableFiles, TableOptions, source_of_tables
    from ensemble.evaluation import score_blend
    from ensemble.files import locked, remove_leftovers
    from ensemble.files_together import written_together
    from ensemble.report.console import open_console
    from ensemble.report.out_folder import open_out_folder, write_out_folder
    from ensemble.report.terminal import print_report

    wishes = _wishes(args)
    given = {name: getattr(args, name) for name in ("labels", "groups", "folds", "test", "test_groups", "template")}
    files = TableFiles(args.oof, members=tuple(args.members), **given)
    options = TableOptions(args.scale, args.only_common_rows, args.ignore_extra_columns, args.n_folds, args.seed)
    inputs = [path for name, path in {"oof": args.oof, **given}.items() if path is not None and name != "folds"]
    paths = open_out_folder(args.out, inputs=inputs)
    source = source_of_tables(files, options)
    with locked(paths.lock), written_together():
        remove_leftovers(paths.folder)
        card = score_blend(source, wishes, paths=paths)
        refusal = write_out_folder(paths, source=source, card=card, folds=args.folds)
    print_report(card.result, open_console(), card.curves)
    for remark in source.remarks:
        print(printable(f"remark      {remark}"))
    _say_where(paths, submission=paths.submission, refusal=refusal)
    return EXIT_DONE


def _say_where(paths: BlendPaths, *, submission: Path, refusal: str | None) -> None:
    if studies := [path for name in ("cold", "warm", "weights") if (path := paths.journal(name)).exists()]:
        names = " and ".join([str(studies[0]), *(path.name for path in studies[1:])])
        print(f"studies     {names} (optuna-dashboard opens them)")
    print(f"blend       {paths.summary}")
    print(printable(f"submission  {submission}" if refusal is None else f"submission  not written: {refusal}"))
    print(f"report      {paths.report}")


if __name__ == "__main__":
    sys.exit(run_command(main))
