"""Which images are to be predicted: a folder, one file, or a table of ids or paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IMAGE_ENDINGS, is_fit, split_ending
from ensemble.dataset.image_files import ImageIndex
from ensemble.dataset.labels import id_column
from ensemble.dataset.layout import find_layout, image_folders_of
from ensemble.dataset.medmnist import TEST_TABLE, unpacked
from ensemble.dataset.settings import SPLITS, DatasetSettings, read_settings
from ensemble.errors import DataError, EnsembleError, first_few, many, quoted
from ensemble.submission import Template, plain_template, read_template
from ensemble.tables import TextTable, read_table

_TABLES = (".csv", ".tsv", ".txt")
_PATH_COLUMNS = ("path", "file", "filename", "file_name", "image_path")


@dataclass(frozen=True)
class ImageFile:
    """One image.

    Attributes:
        image_id: Its row's.
        path: Of the file; None where there is none.
        problem: Why there is none, in words.
    """

    image_id: str
    path: Path | None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class ImageList:
    """N images, in the order of the rows to be written.

    Attributes:
        files: N.
        form: Header, ids and separator of the table of decisions.
        remarks: What a reader should know of how they were found.
    """

    files: tuple[ImageFile, ...]
    form: Template
    remarks: tuple[str, ...] = ()


def find_images(
    images: Path, class_names: tuple[str, ...], *, root: Path | None = None, runs: Path | None = None
) -> ImageList:
    """The images that a user means.

    Args:
        images: A folder, which is looked through to its ends (an image's id is its path below it); an image file; a
            MedMNIST ``.npz`` file, of which the test images are meant; or a table, whose column ``id`` or
            ``image_id``, else its first, holds ids. A column ``path`` leads to each file, and it alone may leave
            ``root``. A table with the blend's classes as its other columns is a sample submission: what is written has
            its form.
        class_names: C names of the blend.
        root: Where a table's images lie; None: beside it.
        runs: Below it a MedMNIST file is unpacked, as training does; None: such files are refused.

    Raises:
        DataError: There are no images, ids come twice, or no file is found for any of them.
    """
    if images.is_dir():
        if root is not None:
            raise DataError(f"--images {root}: only with a table of ids, and {images} is a folder of images")
        return _of_folder(images, class_names)
    if not images.exists():
        raise DataError(f"{images}: expected a folder of images, an image or a table of ids; there is no such file")
    if images.suffix.lower() == ".npz" and runs is not None:
        return _of_medmnist(images, class_names, runs)
    if images.suffix.lower() in _TABLES:
        return _of_table(images, class_names, root or images.parent)
    if not split_ending(images.name)[1]:
        raise DataError(
            f"{images}: expected a folder, an image ({' '.join(IMAGE_ENDINGS)}), a table ({' '.join(_TABLES)}) or a "
            "MedMNIST file (.npz)"
        )
    if not images.is_file():
        raise DataError(f"{images}: expected an image, got a pipe or device")
    return ImageList((ImageFile(images.name, images),), plain_template(np.array([images.name]), class_names))


def _of_medmnist(path: Path, class_names: tuple[str, ...], runs: Path) -> ImageList:
    folder = unpacked(path, runs)
    found = _of_table(folder / TEST_TABLE, class_names, folder)
    return ImageList(found.files, found.form, (f"{path}: its test images; those of train and val are passed over",))


def _of_folder(folder: Path, class_names: tuple[str, ...]) -> ImageList:
    found, others = [], 0
    for path in _files_below(folder):
        if split_ending(path.name)[1]:
            found.append(path)
        else:
            others += 1
    if not found:
        raise DataError(
            f"{folder}: expected images ({' '.join(IMAGE_ENDINGS)}) in this folder or below, found none among "
            f"{many(others, 'file')}"
        )
    files = tuple(_of_path(path, folder) for path in found)
    if all(file.path is None for file in files):
        raise DataError(
            f"{folder}: none of its {many(len(files), 'image')} can be read: {files[0].image_id}: {files[0].problem}"
        )
    remarks = (f"{many(others, 'file')} below {folder} not named as images: passed over",) if others else ()
    form = plain_template(np.array([file.image_id for file in files]), class_names)
    return ImageList(files, form, remarks)


def _of_path(path: Path, folder: Path) -> ImageFile:
    """An image below ``folder``, if it is a file that lies there and whose name can be written into a table."""
    name = path.relative_to(folder).as_posix()
    image_id = os.fsencode(name).decode("utf-8", "backslashreplace")
    if image_id != name:
        return ImageFile(image_id, None, "expected a file's name in UTF-8: rename it")
    if not path.is_file():
        return ImageFile(image_id, None, "expected a file, got a pipe, a device or a link that leads nowhere")
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        return ImageFile(image_id, None, "a link leads out of the image folder")
    return ImageFile(image_id, path)


def _files_below(folder: Path) -> Iterator[Path]:
    """All files, sorted folder by folder; hidden ones are not looked at, and links to folders not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _of_table(path: Path, class_names: tuple[str, ...], root: Path) -> ImageList:
    table = read_table(path)
    is_template = sorted(table.header[1:]) == sorted(class_names)
    settings = read_settings(root / "dataset.yaml")
    image_ids = table.columns[table.header[0] if is_template else id_column(table, settings)]
    if not len(table):
        raise DataError(f"{path}: expected a row for every image, got a header alone")
    unique, counts = np.unique(image_ids, return_counts=True)
    if len(double := unique[counts > 1]):
        raise DataError(f"{path}: expected every id once, but {len(double)} come more often: {first_few(double)}")
    paths = _paths(table)
    lookup = _Lookup(root, settings, _split_of(path, root, settings), are_paths=paths is not None)
    texts = image_ids if paths is None else paths
    files = tuple(lookup.find(*row) for row in zip(image_ids.tolist(), texts.tolist(), strict=True))
    if all(file.path is None for file in files):
        raise DataError(
            f"{path}: none of its {many(len(files), 'image')} was found: {files[0].problem}. Say where they are: "
            "--images DIR"
        )
    form = read_template(path) if is_template else plain_template(image_ids, class_names)
    return ImageList(files, form)


def _paths(table: TextTable) -> NDArray[np.str_] | None:
    """The column that leads to each file, by its name; None where the ids do."""
    column = next((name for name in _PATH_COLUMNS if name in table.columns), None)
    return None if column is None else table.columns[column]


def _split_of(path: Path, root: Path, settings: DatasetSettings) -> str | None:
    """Which of a dataset's tables it is, so that train/1.png and test/1.png are not mixed up; None if it is none."""
    try:
        layout = find_layout(root, settings)
    except EnsembleError:  # no dataset, which nobody said that it is
        return None
    tables = {"train": layout.train_labels, "holdout": layout.holdout_labels, "test": layout.template}
    return next((split for split, one in tables.items() if one is not None and one.resolve() == path.resolve()), None)


class _Lookup:
    """Files by id where a dataset's images may be, or by path. Paths alone, which say where they lead, may lead out."""

    def __init__(self, root: Path, settings: DatasetSettings, split: str | None, *, are_paths: bool) -> None:
        self._root, self._are_paths = root, are_paths
        splits = SPLITS if split is None else (split,)
        folders = [name for one in splits for name in image_folders_of(root, settings, one)]
        self._folders = list(dict.fromkeys(folders))
        self._index = ImageIndex(root, self._folders)
        self._real = [os.path.realpath(root / name) for name in (".", *self._folders)]

    def find(self, image_id: str, text: str) -> ImageFile:
        found, leading_out = self._index.find(self._folders, text) if is_fit(text) else ([], False)
        if len(found) == 1:
            return ImageFile(image_id, self._root / found[0])
        if len(found) > 1:
            return ImageFile(image_id, None, f"{quoted(text)} matches more than one file: {first_few(sorted(found))}")
        leaves = Path(text).is_absolute() or ".." in Path(text).parts
        if leaves and not self._are_paths:
            return ImageFile(
                image_id,
                None,
                f"expected an id below {self._root}, got {quoted(text)}. A column 'path' may name files elsewhere",
            )
        direct = self._root / text  # an absolute path stays one
        if not (leading_out and not self._are_paths) and not (split_ending(direct.name)[1] and direct.is_file()):
            return ImageFile(image_id, None, f"{self._root}: the image file is missing for {quoted(text)}")
        if not self._are_paths and (leading_out or not self._is_inside(direct)):
            return ImageFile(image_id, None, f"{self._root}: a link leads out of the image folder for {quoted(text)}")
        return ImageFile(image_id, direct)

    def _is_inside(self, path: Path) -> bool:
        """Whether it is a file of the folder, or of an image folder, which may itself be a link."""
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(folder) for folder in self._real)
