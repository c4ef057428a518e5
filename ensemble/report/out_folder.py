"""``--out DIR``: everything that a blend of tables from anywhere leaves, in one folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ensemble.blending import Source
from ensemble.blending.foreign.folds import folds_text
from ensemble.errors import ArtefactError, DataError, first_few
from ensemble.evaluation import Scorecard
from ensemble.files import locked, read_json, write_text
from ensemble.report.artefacts import BLEND_VERSION, write_blend, write_decisions
from ensemble.runs import SPLITS, BlendPaths, check_folder


@contextmanager
def out_folder(folder: Path, *, inputs: Sequence[Path]) -> Iterator[BlendPaths]:
    """Hold the folder while a blend is made in it.

    Args:
        folder: It is made if it is missing.
        inputs: Folders of tables, which must not hold it: its tables would be read as members the next time.

    Raises:
        DataError: It lies in one of the inputs, cannot be a folder, or holds files of our names that are not ours.
        ArtefactError: Another process works in it.
    """
    paths = BlendPaths(folder)
    check_folder(folder, "--out")
    for given in inputs:
        if folder.resolve().is_relative_to(given.resolve()):
            raise DataError(
                f"--out {folder}: expected a folder outside of {given}, for what is read is never written to. Give "
                "another --out"
            )
    _refuse_foreign_files(paths)
    with locked(paths.lock):
        yield paths


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
    try:
        content = read_json(path)
    except ArtefactError:
        return False
    return content.get("version") == BLEND_VERSION and "class_names" in content and "thresholds" in content


def write_out_folder(paths: BlendPaths, *, source: Source, card: Scorecard, folds_given: bool) -> str | None:
    """Write folds, submission, blended tables, and last of all ``blend.json``.

    Args:
        paths: Of the folder.
        source: Members and rows.
        card: The blend.
        folds_given: The folds are the user's own, so they are not written.

    Returns:
        None; or why there is no submission.

    Raises:
        DataError: The template cannot be used, or asks for rows that were not predicted.
    """
    for stale in (paths.summary, paths.submission, paths.folds, paths.report):
        stale.unlink(missing_ok=True)
    if not folds_given:
        write_text(paths.folds, folds_text(source.image_ids, source.groups, source.folds))
    refusal = write_decisions(paths.submission, source=source, card=card)
    write_blend(paths, source=source, card=card)
    return refusal
