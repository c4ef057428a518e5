"""Where a submission goes, looked at before anything is computed: what is somebody's work is not overwritten."""

from __future__ import annotations

from pathlib import Path

from ensemble.errors import DataError, first_few
from ensemble.files import read_json
from ensemble.report.artefacts import SUBMISSION_VERSION
from ensemble.runs import DatasetRuns, check_folder
from ensemble.versions import check_version

_ONLY_SUBMISSIONS_HOLD = ("submission", "submission_sha256")


def submission_place(given: Path | None, name: str) -> Path:
    """The file to send.

    Args:
        given: As the user wants it; None: ``submissions/<name>.csv``.
        name: Of the blend, fit to be a file's name.

    Raises:
        DataError: It cannot be written there, or something that is no submission of ours stands there.
    """
    path = given or Path("submissions") / f"{name}.csv"
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


def refuse_other_work(submission: Path, dataset: str, runs: DatasetRuns) -> None:
    """Refuse to overwrite anything but a submission of this dataset.

    Args:
        submission: As from ``submission_place``.
        dataset: The name of the one that is blended now.
        runs: Where its members, folds and blends lie: no submission goes there, whatever is there already.

    Raises:
        DataError: It is among the runs; or what stands there is no submission, or one of another dataset.
        ArtefactError: The file beside it is damaged, or of a later release.
    """
    if submission.resolve().is_relative_to(runs.folder.resolve()):
        raise DataError(
            f"--submission {submission}: expected a place outside of {runs.folder}, where folds, members and blends "
            "have files of such names. Give another --submission, or start the command elsewhere"
        )
    origin = submission.with_suffix(".json")
    if not origin.exists():
        return
    content = read_json(origin)
    check_version(origin, content, what="submission's .json", reads=SUBMISSION_VERSION)
    if lacking := [key for key in _ONLY_SUBMISSIONS_HOLD if key not in content]:
        raise DataError(
            f"{submission} is there already and is no submission of ours ({origin.name} beside it has no "
            f"{first_few(lacking)}), so it is not overwritten. Move both away, or give another --submission or --name"
        )
    earlier = content.get("dataset")
    if earlier not in (dataset, None):
        raise DataError(
            f"{submission} holds a submission for the dataset {str(earlier)!r}, and this blend is of {dataset!r}, so "
            "it is not overwritten. Give another --name or --submission, or move it away"
        )
