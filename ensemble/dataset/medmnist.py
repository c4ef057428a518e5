"""``.npz`` files as MedMNIST comes in, unpacked once into a dataset's folder, which then is like any other.

::

    <runs>/.unpacked/<name>-<key>/    train_labels.csv  val_labels.csv  sample_submission.csv  test_labels.csv
                                      images/train_00000.npy …  dataset.yaml

The validation rows are the holdout. The test labels are written beside the rest for those who want to score with them
in the end; nothing reads them.

Source: Yang et al., MedMNIST v2, Scientific Data 10, 41 (2023): arrays ``{train,val,test}_{images,labels}``.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ensemble.errors import DataError, StorageError
from ensemble.files import locked, storage_errors
from ensemble.unpacked_size import NUMPY_DAMAGE, check_npz_size
from ensemble.yaml_text import dump_yaml

_VERSION = 1
_SPLITS = {"train": "train_labels.csv", "val": "val_labels.csv", "test": "test_labels.csv"}
_MOST_CLASSES = 1000
TEST_TABLE = "sample_submission.csv"
"""Of an unpacked file: the ids of its test images, without their labels."""


def unpacked(path: Path, runs: Path) -> Path:
    """The folder of the dataset that an ``.npz`` file holds; of any other path, the path itself.

    The file is unpacked when it is first asked for, and anew when its size or its time of change is another.

    Args:
        path: A dataset's folder, or an ``.npz`` file.
        runs: Below it the folder is made.

    Raises:
        DataError: The file is damaged, or not as MedMNIST's 2-D files are.
        StorageError: There is too little room.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        return path
    status = path.stat()
    key = hashlib.sha256(f"{_VERSION} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = runs / ".unpacked" / f"{path.stem}-{key}"
    if folder.is_dir():
        return folder
    with locked(folder.with_name(f".{folder.name}.lock"), wait=True):
        if folder.is_dir():
            return folder
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            _unpack(path, part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _unpack(path: Path, folder: Path) -> None:
    try:
        check_npz_size(path, only=[f"{split}_labels.npy" for split in _SPLITS])  # images come one by one
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
            columns, class_names = _columns(path, {split: _labels(path, arrays, split) for split in _SPLITS})
            shapes = {split: _image_head(path, archive, split)[0] for split in _SPLITS}
            _refuse(path, shapes, {split: len(labels) for split, labels in columns.items()})
            with storage_errors(folder):
                (folder / "images").mkdir(parents=True)
                _refuse_full_disk(folder, sum(map(_n_bytes, shapes.values())))
            for split in _SPLITS:
                for image_id, image in zip(
                    _ids(split, len(columns[split])), _images(path, archive, split), strict=True
                ):
                    with storage_errors(folder):
                        np.save(folder / "images" / f"{image_id}.npy", image)
    except NUMPY_DAMAGE as error:
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) != path:
            raise
        raise DataError(f"{path}: expected an .npz file of plain arrays, but it cannot be read ({error})") from error
    with storage_errors(folder):
        _write_tables(folder, columns, class_names)
        (folder / "dataset.yaml").write_text(dump_yaml({"name": path.stem}), encoding="utf-8")


def _labels(path: Path, arrays: Any, split: str) -> NDArray[np.int64]:
    """Shape (N, L)."""
    name = f"{split}_labels"
    if name not in arrays.files or f"{split}_images" not in arrays.files:
        raise DataError(
            f"{path}: expected a MedMNIST file, which holds images and labels of train, val and test, but {name} or "
            f"{split}_images is missing. Tables of predictions are given by --oof instead"
        )
    labels = np.asarray(arrays[name])
    labels = labels[:, None] if labels.ndim == 1 else labels
    if labels.ndim != 2 or labels.dtype.kind not in "biu" or not labels.size or labels.min() < 0:
        raise DataError(
            f"{path}: expected {name} to be whole numbers from 0 on, of shape (images, labels), got {labels.dtype} of "
            f"shape {labels.shape}"
        )
    return labels.astype(np.int64)


def _columns(path: Path, labels: dict[str, NDArray[np.int64]]) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """0/1 columns and their names. One number an image that is not only 0 or 1 becomes a column for each number."""
    widths = {split.shape[1] for split in labels.values()}
    if len(widths) > 1:
        raise DataError(f"{path}: expected as many labels in every split, got {sorted(widths)}")
    greatest = max(int(split.max()) for split in labels.values())
    if greatest <= 1:
        (width,) = widths
        return labels, tuple(f"class_{number}" for number in (range(width) if width > 1 else [1]))
    if widths != {1} or greatest >= _MOST_CLASSES:
        raise DataError(f"{path}: expected labels of 0 and 1, or one class an image, got numbers up to {greatest}")
    classes = np.arange(greatest + 1)
    one_hot = {name: (split == classes).astype(np.int64) for name, split in labels.items()}
    return one_hot, tuple(f"class_{number}" for number in classes)


def _image_head(path: Path, archive: zipfile.ZipFile, split: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(f"{split}_images.npy") as stream:
        return _read_head(path, stream)


def _read_head(path: Path, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    flat = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    if fortran or not flat or min(shape) < 1 or dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{path}: expected images of shape (images, height, width) or (images, height, width, 3), as uint8 or "
            f"uint16, got {dtype} of shape {shape}"
        )
    return shape, dtype


def _images(path: Path, archive: zipfile.ZipFile, split: str) -> Iterator[NDArray[Any]]:
    """One after the other: all of them may not fit into memory."""
    with archive.open(f"{split}_images.npy") as stream:
        (count, *shape), dtype = _read_head(path, stream)
        size = int(np.prod(shape)) * dtype.itemsize
        for _ in range(count):
            content = stream.read(size)
            if len(content) != size:
                raise EOFError(f"{split}_images ends early")
            yield np.frombuffer(content, dtype).reshape(shape)


def _n_bytes(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _refuse(path: Path, shapes: dict[str, tuple[int, ...]], rows: dict[str, int]) -> None:
    for split, shape in shapes.items():
        if shape[0] != rows[split]:
            raise DataError(
                f"{path}: expected a label for each image, got {shape[0]} {split}_images, {rows[split]} labels"
            )


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: the images unpack to {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} are free. Make room, or "
            "name another place by --runs DIR"
        )


def _ids(split: str, count: int) -> list[str]:
    return [f"{split}_{number:0{len(str(count - 1))}d}" for number in range(count)]


def _write_tables(folder: Path, columns: dict[str, NDArray[np.int64]], class_names: Sequence[str]) -> None:
    tables = {_SPLITS[split]: (split, values) for split, values in columns.items()}
    tables[TEST_TABLE] = ("test", np.zeros_like(columns["test"]))
    for name, (split, values) in tables.items():
        rows = zip(_ids(split, len(values)), values.tolist(), strict=True)
        lines = [",".join(["id", *class_names]), *(",".join([image_id, *map(str, row)]) for image_id, row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
