"""The folder of one dataset below ``runs/``, and finding it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ensemble.errors import DataError
from ensemble.runs.names import RESERVED, check_folder, check_name, check_outside, folder_name
from ensemble.runs.paths import BlendPaths, ComparisonPaths, MemberPaths


@dataclass(frozen=True)
class DatasetRuns:
    """Everything that was made from one dataset: ``runs/<dataset>/``."""

    folder: Path

    @property
    def folds_csv(self) -> Path:
        """The one split that all members share."""
        return self.folder / "folds.csv"

    @property
    def folds_json(self) -> Path:
        """How ``folds_csv`` was made, and its hash."""
        return self.folder / "folds.json"

    @property
    def explore_page(self) -> Path:
        """What is in the data."""
        return self.folder / "explore.html"

    @property
    def lock(self) -> Path:
        """Held while ``folds_csv`` or merged tables are written."""
        return self.folder / ".lock"

    @property
    def cache(self) -> Path:
        """Decoded images, shared by all members."""
        return self.folder / "cache"

    @property
    def schedule(self) -> Path:
        """Threads of each training that ``run`` starts: kept, so that all folds are computed alike."""
        return self.folder / "schedule.json"

    def run_log(self, member: str, fold: int) -> Path:
        """What the training of one fold printed while ``run`` watched it."""
        return self.folder / "logs" / f"{member}_fold_{fold}.log"

    def run_progress(self, member: str, fold: int) -> Path:
        """How far that training is; only there while it runs."""
        return self.folder / "logs" / f"{member}_fold_{fold}.progress.json"

    def member(self, name: str) -> MemberPaths:
        """The member called ``name``."""
        return MemberPaths(self.folder / check_name(name, "the member name"))

    def members(self) -> list[MemberPaths]:
        """All members that were started, by name."""
        found = self.folder.glob("*/recipe.yaml")
        return [MemberPaths(path.parent) for path in sorted(found) if path.parent.name not in RESERVED]

    def blend(self, name: str) -> BlendPaths:
        """The blend called ``name``."""
        return BlendPaths(self.folder / "blends" / check_name(name, "the blend name"))

    def tuning(self, study: str) -> Path:
        """The folder of the search called ``study``."""
        return self.folder / "tuning" / check_name(study, "the study name")

    @property
    def comparison(self) -> ComparisonPaths:
        """The latest comparison of members."""
        return ComparisonPaths(self.folder / "comparison")


def dataset_runs(runs: Path, dataset: str, *, outside: Path | None = None) -> DatasetRuns:
    """The folder of the dataset called ``dataset`` below ``runs``.

    Args:
        runs: The folder of all results.
        dataset: The dataset's name.
        outside: The dataset's folder, where it is known: no results go there.

    Raises:
        DataError: ``runs`` cannot be a folder or lies in ``outside``; or ``dataset`` is no folder's name, whatever its
            spelling.
    """
    check_folder(runs, "--runs")
    if outside is not None:
        check_outside(runs, outside, "--runs")
    try:
        return DatasetRuns(runs / check_name(folder_name(dataset), "the dataset name"))
    except DataError as error:
        raise DataError(f"{error}. Give the dataset another name: name: in its dataset.yaml") from error


def only_dataset(runs: Path) -> DatasetRuns:
    """The single dataset below ``runs`` (with a finished fold, if several have folds), for commands not told which.

    Raises:
        DataError: There is none, or more than one.
    """
    found = sorted(path.parent for path in runs.glob("*/folds.csv"))
    if not found:
        raise DataError(
            f"{runs}: expected a trained dataset (<name>/folds.csv), found none. Train a member first: "
            "python -m ensemble.train recipes/cnn2.yaml --all-folds --data DIR"
        )
    finished = [path for path in found if any(path.glob("*/fold_*/run.json"))]
    if len(found) > 1 and len(finished) != 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{runs} holds several datasets ({names}): say which with --data DIR")
    return DatasetRuns(*(finished or found))
