"""The files of one fold, one member, one blend and one comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ensemble.runs.names import folder_name

SPLITS = ("oof", "holdout", "test")
"""Which rows a prediction table is of."""


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
        """Held while the blend is made; marks a folder of a blend of tables from anywhere as ours."""
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
