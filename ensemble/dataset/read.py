"""Reading a dataset: find, read, check everything, and only then complain, about all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.groups import NO_GROUPS, group_column, groups_from_tables
from ensemble.dataset.ids import IdLookup, double_ids, is_fit, listed, split_ending, unfit_ids
from ensemble.dataset.image_files import ImageIndex, find_images, shared_files
from ensemble.dataset.labels import IdTable, classes_of, id_column, read_labels, same_classes
from ensemble.dataset.layout import Layout, find_layout, unused_tables
from ensemble.dataset.settings import DatasetSettings, read_settings
from ensemble.dataset.splits import Dataset, Split
from ensemble.dataset.template_kind import other_kind, template_kind
from ensemble.errors import DataError
from ensemble.field_values import parse_numbers
from ensemble.tables import read_table


@dataclass
class _Reading:
    """What has been read so far, and what was wrong with it.

    Attributes:
        tables: Split to its table of ids: training labels, holdout labels, template.
    """

    folder: Path
    settings: DatasetSettings
    layout: Layout
    tables: dict[str, IdTable] = field(default_factory=dict)
    labels: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    def open(self, path: Path, *, first_column: bool = False) -> IdTable | None:
        """Read a table and its ids; None, with a problem noted, if it cannot be read."""
        try:
            table = read_table(path)
        except DataError as error:
            self.problems.append(str(error))
            return None
        name = table.header[0] if first_column else id_column(table, self.settings)
        return IdTable(table, name)


@dataclass(frozen=True)
class _Found:
    """Images: the files of each split, the names of all that lie there, and the files without an id."""

    files: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    stems: set[str] = field(default_factory=set)
    without_id: tuple[str, ...] = ()


def read_dataset(path: Path, *, images: bool = True) -> Dataset:
    """Read and check the dataset in the folder ``path``.

    A group on both sides of training and holdout is not refused here, for it is fine where the holdout joins the folds;
    ``check_holdout_groups`` refuses it.

    Args:
        path: The folder. It is only read.
        images: Find every id's image file. Without it only the tables are read, and the images may be elsewhere.

    Raises:
        DataError: No such folder, or anything in it that cannot be used, all problems together.
        RecipeError: ``dataset.yaml`` is not usable.
    """
    folder = Path(path)
    settings = read_settings(folder / "dataset.yaml")
    reading = _Reading(folder, settings, find_layout(folder, settings))
    _read_tables(reading)
    groups, groups_source = _read_groups(reading)
    true_probabilities = _read_true_probabilities(reading)
    found = _find_files(reading) if images else _Found()
    if reading.problems:
        raise DataError.gather(f"{folder} cannot be used as a dataset", reading.problems)
    nothing = np.array([], dtype=np.str_)
    splits = {
        split: Split(table.image_ids, reading.labels.get(split), groups.get(split), found.files.get(split, nothing))
        for split, table in reading.tables.items()
    }
    return Dataset(
        name=settings.name or folder.resolve().name,
        path=folder,
        class_names=reading.class_names,
        train=splits["train"],
        holdout=splits.get("holdout"),
        test=splits.get("test"),
        template=reading.layout.template,
        groups_source=groups_source,
        unused_tables=unused_tables(folder, reading.layout.tables(), _known_ids(reading) | found.stems),
        images_without_id=found.without_id,
        n_folds=settings.n_folds,
        fold_seed=settings.fold_seed,
        holdout_wanted=settings.holdout,
        true_probabilities=true_probabilities,
    )


def _read_tables(reading: _Reading) -> None:
    """The ids of all splits, and the labels of those that have them."""
    paths = {
        "train": reading.layout.train_labels,
        "holdout": reading.layout.holdout_labels,
        "test": reading.layout.template,
    }
    for split, path in paths.items():
        if path is not None and (table := reading.open(path, first_column=split == "test")) is not None:
            if split == "test" and (kind := template_kind(table.table, reading.class_names)):
                remedy = "Give another one (template: FILE in dataset.yaml), or take it out of the folder"
                problem = other_kind(kind, reading.class_names, remedy=remedy)
                reading.problems.append(f"{table.name}: {problem}")
                continue
            reading.tables[split] = table
            _read_split(reading, split, table)
    rows = [row for split, table in reading.tables.items() for row in table.rows(reading.labels.get(split))]
    reading.problems.extend(double_ids(row for row in rows if row.image_id))


def _read_split(reading: _Reading, split: str, table: IdTable) -> None:
    problems, settings = reading.problems, reading.settings
    problems.extend(unfit_ids(table.rows()))
    if not len(table.image_ids):
        problems.append(f"{table.name}: expected a row for every image, got a header alone")
    if split == "train":
        if settings.id_column is not None and settings.id_column not in table.table.columns:
            problems.append(
                f"{table.name}: dataset.yaml names the id_column {settings.id_column!r}, which is not there"
            )
        reading.class_names = classes_of(table.table, settings, problems)
        usable = set(reading.class_names) <= set(table.table.columns)
    else:
        usable = bool(reading.class_names) and same_classes(
            table.table, reading.class_names, settings, problems, exactly=split == "test"
        )
    if usable and split != "test":
        reading.labels[split] = read_labels(table.table, reading.class_names, settings, problems)
        if split == "train" and len(table.image_ids) and not problems and np.isnan(reading.labels[split]).all():
            problems.append(f"{table.name}: expected 0 or 1 in some field, but every class of every row is empty")


def _read_groups(reading: _Reading) -> tuple[Mapping[str, NDArray[np.str_] | None], str]:
    """Split to its groups, and where they came from."""
    if (column := reading.settings.group_column) is not None:
        labelled = {split: table for split, table in reading.tables.items() if split != "test"}
        groups = {split: group_column(table.table, column, reading.problems) for split, table in labelled.items()}
        return groups, f"column {column!r} of {' + '.join(table.name for table in labelled.values())}"
    opened = [reading.open(path) for path in reading.layout.group_tables]
    tables = [table for table in opened if table is not None]
    if len(tables) < len(opened) or not tables:
        return {}, NO_GROUPS
    ids = {split: table.image_ids for split, table in reading.tables.items()}
    return groups_from_tables(tables, ids, reading.problems), " + ".join(table.name for table in tables)


def _read_true_probabilities(reading: _Reading) -> NDArray[np.float64] | None:
    """Shape (N of train, C), or None where the chances are not known, or the tables that they belong to are no good."""
    path, train = reading.layout.true_probabilities, reading.tables.get("train")
    if reading.problems or path is None or train is None or (table := reading.open(path)) is None:
        return None
    if not same_classes(table.table, reading.class_names, reading.settings, reading.problems):
        return None
    rows = IdLookup(table.image_ids).find_all(train.image_ids)
    if (rows < 0).any():
        reading.problems.append(f"{table.name}: {listed(train.image_ids[rows < 0])} of the train rows are missing")
        return None
    columns = [parse_numbers(table.table.columns[name])[0][rows] for name in reading.class_names]
    values = np.stack(columns, axis=1)
    if not ((values >= 0) & (values <= 1)).all():
        reading.problems.append(f"{table.name}: expected probabilities from 0 to 1 in every field of the train rows")
    return values


def _find_files(reading: _Reading) -> _Found:
    """The images of all ids, and those of none."""
    image_folders, all_folders = reading.layout.image_folders, reading.layout.all_image_folders()
    index = ImageIndex(reading.folder, all_folders)
    files = {
        split: find_images(index, table, image_folders[split], reading.problems)
        for split, table in reading.tables.items()
    }
    pairs = [
        pair
        for split, table in reading.tables.items()
        for pair in zip(table.image_ids.tolist(), files[split].tolist(), strict=True)
    ]
    reading.problems.extend(shared_files(pairs))
    for split, table in reading.tables.items():
        reading.problems.extend(_no_header(table, index, image_folders[split]))
    used = {file for _, file in pairs}
    return _Found(files, index.stems(), tuple(sorted(set(index.files(all_folders)) - used)))


def _no_header(table: IdTable, index: ImageIndex, image_folders: Sequence[str]) -> list[str]:
    """The problem of a table whose first line is a row: an image's id, and labels where names of classes should be."""
    image_id, *names = table.table.header
    if not names or not set(names) <= {"0", "1", "0.0", "1.0"} or not is_fit(image_id):
        return []
    files, _ = index.find(image_folders, image_id)
    if not files:
        return []
    line = table.table.separator.join(table.table.header)
    problem = (
        f"{table.name}, line 1: expected a header (id, then the classes' names), got {line!r}, which looks like a row: "
        f"there is an image {files[0]}. Put a header above it"
    )
    return [problem]


def _known_ids(reading: _Reading) -> set[str]:
    """All ids, with and without their ending."""
    ids = {image_id for table in reading.tables.values() for image_id in table.image_ids.tolist()}
    return ids | {split_ending(image_id)[0] for image_id in ids}
