"""``.npz`` files as MedMNIST comes in, unpacked once into a dataset's folder, which then is like any other.

::

    <runs>/.unpacked/<name>-<key>/    train_labels.csv  val_labels.csv  sample_submission.csv  test_labels.csv
                                      images/train_00000.npy …  dataset.yaml

The validation rows are the holdout. The test labels are written beside the rest for those who want to score with them
in the end; nothing reads them.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.medmnist_arrays import ImagesHead, columns_of, read_heads, read_images, read_labels
from ensemble.errors import DataError, StorageError
from ensemble.files import locked, storage_errors, sync_folder
from ensemble.files_together import sync_disk
from ensemble.unpacked_size import NUMPY_DAMAGE
from ensemble.yaml_text import dump_yaml

_VERSION = 1
_TABLES = {"train": "train_labels.csv", "val": "val_labels.csv", "test": "test_labels.csv"}
_HEAD_BYTES, _BLOCK_BYTES = 128, 4096  # before an image's pixels, and what a disk gives a file at least
TEST_TABLE = "sample_submission.csv"
"""Of an unpacked file: the ids of its test images, without their labels."""


def unpacked(path: Path, runs: Path) -> Path:
    """The folder of the dataset that an ``.npz`` file holds; of any other path, the path itself.

    The file is unpacked when it is first asked for, and anew when its size, its time of change or the checksum of an
    array is another.

    Args:
        path: A dataset's folder, or an ``.npz`` file.
        runs: Below it the folder is made.

    Raises:
        DataError: The file is damaged, or not as MedMNIST's 2-D files are.
        StorageError: There is too little room.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        return path
    folder = runs / ".unpacked" / f"{path.stem}-{_key(path)}"
    if folder.is_dir():
        return folder
    with locked(folder.with_name(f".{folder.name}.lock"), wait=True):
        if folder.is_dir():
            return folder
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            _unpack(path, part)
            with storage_errors(folder):
                sync_disk(part)
                part.rename(folder)
                sync_folder(folder.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _key(path: Path) -> str:
    """Of the file's size and time of change, and of its directory, in which each array has a checksum."""
    status = path.stat()
    with _damage_said(path), zipfile.ZipFile(path) as archive:
        members = [(one.filename, one.file_size, one.CRC) for one in archive.infolist()]
    facts = (_VERSION, status.st_size, status.st_mtime_ns, members)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


@contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    """Turn what NumPy and ``zipfile`` raise on a damaged file into one error; what cannot be written stays as it is."""
    try:
        yield
    except NUMPY_DAMAGE as error:
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) != path:
            raise
        raise DataError(f"{path}: expected an .npz file of plain arrays, but it cannot be read ({error})") from error


def _unpack(path: Path, folder: Path) -> None:
    with _damage_said(path), zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
        heads = read_heads(path, archive)
        columns, class_names = columns_of(path, {split: read_labels(path, arrays, split) for split in heads})
        with storage_errors(folder):
            (folder / "images").mkdir(parents=True)
            _refuse_full_disk(folder, heads.values())
        for split, head in heads.items():
            for image_id, image in zip(_ids(split, head.count), read_images(path, archive, split), strict=True):
                with storage_errors(folder):
                    np.save(folder / "images" / f"{image_id}.npy", image)
    with storage_errors(folder):
        _write_tables(folder, columns, class_names)
        (folder / "dataset.yaml").write_text(dump_yaml({"name": path.stem}), encoding="utf-8")


def _refuse_full_disk(folder: Path, heads: Collection[ImagesHead]) -> None:
    needed = sum(head.count * -(-(head.image_bytes + _HEAD_BYTES) // _BLOCK_BYTES) * _BLOCK_BYTES for head in heads)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: the images unpack to {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} are free. Make room, or "
            "name another place by --runs DIR"
        )


def _ids(split: str, count: int) -> list[str]:
    return [f"{split}_{number:0{len(str(count - 1))}d}" for number in range(count)]


def _write_tables(folder: Path, columns: Mapping[str, NDArray[np.int64]], class_names: Sequence[str]) -> None:
    tables = {_TABLES[split]: (split, values) for split, values in columns.items()}
    tables[TEST_TABLE] = ("test", np.zeros_like(columns["test"]))
    for name, (split, values) in tables.items():
        with (folder / name).open("w", encoding="utf-8") as stream:
            stream.write(",".join(["id", *class_names]) + "\n")
            for image_id, row in zip(_ids(split, len(values)), values, strict=True):
                stream.write(",".join([image_id, *map(str, row.tolist())]) + "\n")
