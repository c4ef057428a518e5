"""Every path below ``runs/`` and ``submissions/``: spelled here, and only here.

::

    runs/<dataset>/folds.csv, folds.json                  <dataset>: as ``folder_name`` spells it
    runs/<dataset>/explore.html
    runs/<dataset>/cache/<hash>/
    runs/<dataset>/<member>/recipe.yaml, {oof,holdout,test}.parquet
    runs/<dataset>/<member>/fold_0/          checkpoint.pt model.safetensors metrics.csv train.log *.parquet run.json
    runs/<dataset>/blends/<name>/            blend.json, {oof,holdout,test}.parquet, the Optuna journal, predictions/
    runs/<dataset>/tuning/<study>/           study.journal, trials.csv, best.yaml
    runs/<dataset>/schedule.json, logs/                   how `run` divides the machine; what its trainings print
    runs/<dataset>/comparison/               comparison.md, comparison.csv, comparison_{pairs,without}.csv
    <out>/                                   likewise, of tables from anywhere; and submission.csv, folds.csv
    submissions/<name>.csv, <name>.json

``run.json`` is written last: its presence means that the fold is finished.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ensemble.errors import DataError
from ensemble.files import folder_name

SPLITS = ("oof", "holdout", "test")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]*")
_RESERVED = frozenset({"cache", "blends", "comparison", "logs", "tuning"})


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it is fit to be one folder's name.

    Raises:
        DataError: It is not; ``what`` says whose name it was.
    """
    if not _NAME.fullmatch(name) or len(name) > 100:
        raise DataError(
            f"{what} {name!r} cannot be a folder's name: expected up to 100 letters, digits, '_', '-', '+' or '.', "
            "not starting with '.', '-' or '+'"
        )
    if name in _RESERVED:
        raise DataError(f"{what} {name!r} is reserved: choose another name than {sorted(_RESERVED)}")
    return name


def check_folder(folder: Path, what: str) -> None:
    """Refuse a place for results that is a file, or lies below one.

    Raises:
        DataError: It is; ``what`` says which flag named it.
    """
    standing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if standing is not None and not standing.is_dir():
        raise DataError(f"{what} {folder}: expected a folder, or a place for one, but {standing} is a file")


@dataclass(frozen=True)
class FoldPaths:
    """What one (recipe, fold) run leaves behind."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """State to go on from; removed when ``run`` stands."""
        return self.folder / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The fold model's final weights."""
        return self.folder / "model.safetensors"

    @property
    def metrics(self) -> Path:
        """A row an epoch."""
        return self.folder / "metrics.csv"

    @property
    def log(self) -> Path:
        """The plain lines that the terminal showed."""
        return self.folder / "train.log"

    @property
    def run(self) -> Path:
        """Facts of the finished run; written last."""
        return self.folder / "run.json"

    @property
    def lock(self) -> Path:
        """Held while a process works here."""
        return self.folder / ".lock"

    def table(self, split: str) -> Path:
        """The prediction table of ``split``, one of ``SPLITS``."""
        return self.folder / f"{split}.parquet"


@dataclass(frozen=True)
class MemberPaths:
    """All runs of one recipe on one dataset."""

    folder: Path

    @property
    def name(self) -> str:
        """The member's name."""
        return self.folder.name

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    def fold(self, fold: int) -> FoldPaths:
        """The run of one fold."""
        return FoldPaths(self.folder / f"fold_{fold}")

    def table(self, split: str) -> Path:
        """The merged prediction table of ``split``, one of ``SPLITS``."""
        return self.folder / f"{split}.parquet"


@dataclass(frozen=True)
class BlendPaths:
    """What one blend leaves behind."""

    folder: Path

    @property
    def summary(self) -> Path:
        """Members, thresholds and scores."""
        return self.folder / "blend.json"

    @property
    def submission(self) -> Path:
        """The file to send, of a blend of tables from anywhere."""
        return self.folder / "submission.csv"

    @property
    def folds(self) -> Path:
        """The folds that were made for tables from anywhere."""
        return self.folder / "folds.csv"

    @property
    def report(self) -> Path:
        """The threshold search report."""
        return self.folder / "report.html"

    @property
    def ranks(self) -> Path:
        """The members' distributions, of a blend of ranks."""
        return self.folder / "ranks.safetensors"

    @property
    def runs(self) -> Path:
        """The folder of all datasets' runs, of a blend of members."""
        return self.folder.parents[2]

    def predictions(self, name: str) -> Path:
        """The decisions on other images, where nothing else was asked for."""
        return self.folder / "predictions" / f"{folder_name(name)}.csv"

    @property
    def lock(self) -> Path:
        """Held while a blend of tables from anywhere is written; marks the folder as ours."""
        return self.folder / ".lock"

    def journal(self, study: str) -> Path:
        """The Optuna journal of ``study``."""
        return self.folder / f"optuna_{study}.journal"

    def table(self, split: str) -> Path:
        """The blended prediction table of ``split``, one of ``SPLITS``."""
        return self.folder / f"{split}.parquet"


@dataclass(frozen=True)
class ComparisonPaths:
    """What a comparison of members leaves behind."""

    folder: Path

    @property
    def markdown(self) -> Path:
        """All tables, for people; written last."""
        return self.folder / "comparison.md"

    @property
    def members(self) -> Path:
        """A row a member."""
        return self.folder / "comparison.csv"

    @property
    def pairs(self) -> Path:
        """A row a pair of members."""
        return self.folder / "comparison_pairs.csv"

    @property
    def without(self) -> Path:
        """A row a member: the blend without it."""
        return self.folder / "comparison_without.csv"


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
        return [MemberPaths(path.parent) for path in sorted(found) if path.parent.name not in _RESERVED]

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


def dataset_runs(runs: Path, dataset: str) -> DatasetRuns:
    """The folder of the dataset called ``dataset`` below ``runs``.

    Raises:
        DataError: ``runs`` cannot be a folder, or ``dataset`` no folder's name, whatever its spelling.
    """
    check_folder(runs, "--runs")
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
