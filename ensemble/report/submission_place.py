"""Where a submission goes, looked at before anything is computed: what is somebody's work is not overwritten."""

from __future__ import annotations

from pathlib import Path

from ensemble.errors import DataError
from ensemble.files import read_json
from ensemble.report.artefacts import SUBMISSION_VERSION
from ensemble.runs import check_folder
from ensemble.versions import check_version


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


def refuse_other_dataset(submission: Path, dataset: str) -> None:
    """Refuse to overwrite a submission of another dataset.

    Args:
        submission: As from ``submission_place``.
        dataset: The name of the one that is blended now.

    Raises:
        DataError: It is of another one.
        ArtefactError: The file beside it is damaged, or of a later release.
    """
    origin = submission.with_suffix(".json")
    if not origin.exists():
        return
    content = read_json(origin)
    check_version(origin, content, what="submission's .json", reads=SUBMISSION_VERSION)
    earlier = content.get("dataset")
    if earlier not in (dataset, None):
        raise DataError(
            f"{submission} holds a submission for the dataset {str(earlier)!r}, and this blend is of {dataset!r}, so "
            "it is not overwritten. Give another --name or --submission, or move it away"
        )
