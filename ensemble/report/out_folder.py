"""``--out DIR``: everything that a blend of tables from anywhere leaves, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ensemble.blending import Source
from ensemble.blending.foreign.folds import folds_text
from ensemble.errors import ArtefactError, DataError, first_few
from ensemble.evaluation import Scorecard
from ensemble.evaluation.stored import BLEND_VERSION
from ensemble.files import read_json, write_text
from ensemble.files_together import written_together
from ensemble.report.artefacts import write_blend, write_decisions
from ensemble.runs import SPLITS, BlendPaths, check_folder
from ensemble.versions import check_version


def open_out_folder(folder: Path, *, inputs: Sequence[Path]) -> BlendPaths:
    """Where everything will go, looked at before anything is read. Nothing is made yet.

    Args:
        folder: It may be missing.
        inputs: The files and folders that are read. A folder must not hold ``folder``: our tables would be members the
            next time. A file must not be one that is written, but for folds that we made earlier.

    Raises:
        DataError: The folder cannot be used so, or holds files of our names that are not ours.
    """
    paths = BlendPaths(folder)
    check_folder(folder, "--out")
    written = {path.resolve() for path in (paths.summary, paths.submission, paths.report)}
    for given in inputs:
        if given.is_dir() and folder.resolve().is_relative_to(given.resolve()):
            raise DataError(
                f"--out {folder}: expected a folder outside of {given}, whose tables are read. Give another --out"
            )
        if given.resolve() in written:
            raise DataError(f"--out {folder}: {given} would be overwritten. Move it, or give another --out")
    _refuse_foreign_files(paths)
    return paths


def _refuse_foreign_files(paths: BlendPaths) -> None:
    if paths.lock.exists() or _is_blend(paths.summary):
        return
    ours = [paths.summary, paths.submission, paths.folds, paths.report, *(paths.table(split) for split in SPLITS)]
    if there := [path.name for path in ours if path.exists()]:
        raise DataError(
            f"--out {paths.folder}: {first_few(there)} there already, and not from a blend of ours, so nothing is "
            "overwritten. Move them away, or give another --out"
        )


def _is_blend(path: Path) -> bool:
    """Whether it is a ``blend.json``; one of a later release is refused, for what stands beside it may be its own."""
    try:
        content = read_json(path)
    except ArtefactError:
        return False
    if "class_names" not in content or "thresholds" not in content:
        return False
    check_version(path, content, what="blend.json", reads=BLEND_VERSION)
    return True


def write_out_folder(paths: BlendPaths, *, source: Source, card: Scorecard, folds: Path | None = None) -> str | None:
    """Write folds, submission, blended tables, and last of all ``blend.json``.

    Args:
        paths: Of the folder.
        source: Members and rows.
        card: The blend.
        folds: The user's own, which are not written; None: they were made.

    Returns:
        None; or why there is no submission.

    Raises:
        DataError: The template cannot be used, or asks for rows that were not predicted.
    """
    removed = [paths.summary, paths.submission, paths.report]
    if folds is not None and folds.resolve() != paths.folds.resolve():
        removed.append(paths.folds)
    with written_together(removed=removed):
        if folds is None:
            write_text(paths.folds, folds_text(source.image_ids, source.groups, source.folds))
        refusal = write_decisions(paths.submission, source=source, card=card)
        write_blend(paths, source=source, card=card)
    return refusal
