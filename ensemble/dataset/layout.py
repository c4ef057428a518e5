"""Which file of the folder is what, found by name alone or told by ``dataset.yaml``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ensemble.dataset.ids import split_ending
from ensemble.dataset.settings import SPLITS, DatasetSettings
from ensemble.errors import DataError

TRUE_PROBABILITIES = "true_probabilities.csv"
_SPLIT_FOLDERS = {"train": "train", "holdout": "val", "test": "test"}
_GROUPS = "groups.csv"
_GROUP_TABLES = ("train_groups.csv", "val_groups.csv", "test_groups.csv")


@dataclass(frozen=True)
class Layout:
    """The files of a dataset.

    Attributes:
        train_labels: Ids and classes of the training rows.
        holdout_labels: Likewise of the holdout; None without one.
        template: The sample submission, whose ids are the test rows; None without one.
        group_tables: Tables of ids and groups; empty without groups.
        true_probabilities: Ids and chances, of generated data; None without them.
        image_folders: Split to the folders, relative to the dataset's (``"."`` is itself), where its images may be.
    """

    train_labels: Path
    holdout_labels: Path | None
    template: Path | None
    group_tables: tuple[Path, ...]
    true_probabilities: Path | None
    image_folders: Mapping[str, tuple[str, ...]]

    def tables(self) -> set[Path]:
        """Every table that is read."""
        found = {self.train_labels, self.holdout_labels, self.template, self.true_probabilities, *self.group_tables}
        return {path for path in found if path is not None}

    def all_image_folders(self) -> list[str]:
        """The folders of all splits, each once."""
        return list(dict.fromkeys(name for names in self.image_folders.values() for name in names))


def find_layout(folder: Path, settings: DatasetSettings) -> Layout:
    """Look through the folder.

    Raises:
        DataError: There is no such folder, no label table, two files for one purpose, or no file where
            ``dataset.yaml`` says that there is one.
    """
    files = _Files(folder)
    train_labels = files.one(settings.train_labels, "train_labels.csv")
    holdout_labels = files.one(settings.holdout_labels, "val_labels.csv")
    template = files.one(settings.template, "sample_submission.csv", "sample_submission.txt")
    group_tables = _group_tables(files, settings)
    image_folders = {split: image_folders_of(folder, settings, split) for split in SPLITS}
    if files.problems:
        raise DataError.gather(f"{folder} cannot be read as a dataset", files.problems)
    if train_labels is None:
        raise DataError(f"{folder}: expected train_labels.csv, and it is missing.\n{expected_layout(folder)}")
    true_probabilities = files.one(None, TRUE_PROBABILITIES)
    return Layout(train_labels, holdout_labels, template, group_tables, true_probabilities, image_folders)


def expected_layout(folder: Path) -> str:
    """A drawing of a dataset's folder, and the command that makes one.

    Args:
        folder: Where it is, or is to be.
    """
    # The command makes folders; one that is there already is somebody's.
    target = "DIR" if folder.exists() else shlex.quote(str(folder))
    hint = "   (--size origin: as many and as large images as the origin's)"
    size = " --size origin" if folder.name == "origin" else hint
    return f"""A dataset is a folder like this:
  {folder}/
    images/                    one file an image; or train/ val/ test/ (there or here), or the images beside the CSVs
    train_labels.csv           id, then one 0/1 column a class
    val_labels.csv             optional: the holdout, the same columns
    sample_submission.csv      optional: the test images, the same columns (.txt will do)
    train_groups.csv           optional: id,group, e.g. the patient; also val_groups.csv; or one groups.csv for all
    dataset.yaml               optional: what differs from this
Data to try it on: python -m ensemble.demo {target}{size}"""


def _group_tables(files: _Files, settings: DatasetSettings) -> tuple[Path, ...]:
    if settings.group_column is not None:
        return ()
    if settings.groups:
        wanted = [files.one(name) for name in settings.groups]
    elif (single := files.one(None, _GROUPS)) is not None:
        wanted = [single]
    else:
        wanted = [files.one(None, name) for name in _GROUP_TABLES]
    return tuple(path for path in wanted if path is not None)


def is_group_table(name: str) -> bool:
    """Whether a file is called as tables of groups are."""
    return _plain(name) in (_GROUPS, *_GROUP_TABLES)


def image_folders_of(folder: Path, settings: DatasetSettings, split: str) -> tuple[str, ...]:
    """The folders, relative to the dataset's (``"."`` is itself), where images of ``split`` may be."""
    if settings.images:
        stated = settings.images.get(split)
        return () if stated is None else (stated,)
    usual = ("images", _SPLIT_FOLDERS[split], f"images/{_SPLIT_FOLDERS[split]}")
    return (*(name for name in usual if (folder / name).is_dir()), ".")


class _Files:
    """The names in one folder; gathers what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
            raise DataError(f"{folder}: expected a dataset, but {what}.\n{expected_layout(folder)}")
        self.folder = folder
        self.problems: list[str] = []
        self._names: dict[str, list[str]] = {}
        for path in sorted(folder.iterdir()):
            self._names.setdefault(_plain(path.name), []).append(path.name)

    def one(self, stated: str | None, *usual: str) -> Path | None:
        """The file that ``dataset.yaml`` states, else the one that has a usual name; None if there is none."""
        if stated is not None:
            return self._stated(stated)
        found = [name for candidate in usual for name in self._names.get(candidate, [])]
        if len(found) > 1:
            self.refuse(
                f"expected one of the files {', '.join(map(repr, found))}. Remove one or name it in dataset.yaml"
            )
        return self.folder / found[0] if found else None

    def _stated(self, name: str) -> Path | None:
        if (self.folder / name).is_file():
            return self.folder / name
        self.refuse(f"dataset.yaml names {name!r}, and there is no such file in {self.folder}")
        return None

    def refuse(self, problem: str) -> None:
        """Note a problem once."""
        if problem not in self.problems:
            self.problems.append(problem)


def _plain(name: str) -> str:
    """``Train labels.csv`` and ``train_labels.csv`` are one name."""
    return name.casefold().replace(" ", "_")


def unused_tables(folder: Path, used: set[Path], known: set[str]) -> tuple[str, ...]:
    """Names of the CSV files at the top of ``folder`` that hold a known id in their first rows and were not read.

    Args:
        folder: The dataset's folder.
        used: Tables that were read.
        known: Ids, with and without their ending.
    """
    taken = {path.resolve() for path in used}
    candidates = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".csv", ".tsv"))
    return tuple(path.name for path in candidates if path.resolve() not in taken and _holds(path, known))


def _holds(path: Path, known: set[str], n_lines: int = 20) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        first = [stream.readline(10_000).decode("utf-8-sig", errors="replace") for _ in range(n_lines)]
    fields = (field.strip(' "\r\n') for line in first for field in re.split(r"[,;\t]", line))
    return any(field in known or split_ending(field)[0] in known for field in fields)
