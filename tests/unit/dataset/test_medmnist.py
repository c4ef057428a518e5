from __future__ import annotations

import io
import os
import struct
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from ensemble.dataset import medmnist, medmnist_arrays, read_dataset
from ensemble.dataset.medmnist import unpacked
from ensemble.errors import DataError, StorageError

SIZES = {"train": 12, "val": 4, "test": 3}


def arrays(n_labels: int = 2, side: int = 5, dtype: type = np.uint8) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    made = {}
    for split, size in SIZES.items():
        made[f"{split}_images"] = draw.integers(0, np.iinfo(dtype).max, (size, side, side)).astype(dtype)
        made[f"{split}_labels"] = draw.integers(0, 2, (size, n_labels)).astype(np.uint8)
    return made


@pytest.fixture
def unpack(tmp_path):
    def _unpack(content: dict[str, np.ndarray]):
        np.savez_compressed(tmp_path / "toy.npz", **content)
        return unpacked(tmp_path / "toy.npz", tmp_path / "runs")

    return _unpack


def test_several_labels_are_classes(unpack):
    content = arrays(dtype=np.uint16)
    dataset = read_dataset(unpack(content))
    assert dataset.name == "toy"
    assert dataset.class_names == ("class_0", "class_1")
    assert [len(split) for split in (dataset.train, dataset.holdout, dataset.test)] == [12, 4, 3]
    np.testing.assert_array_equal(dataset.train.labels, content["train_labels"])
    np.testing.assert_array_equal(dataset.holdout.labels, content["val_labels"])
    assert dataset.test.image_ids.tolist() == ["test_0", "test_1", "test_2"]
    assert dataset.unused_tables == ("test_labels.csv",)
    for row, file in enumerate(dataset.train.image_files.tolist()):
        image = np.load(dataset.path / file)
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image, content["train_images"][row])


def test_one_label_is_one_class_or_a_column_for_each(unpack):
    content = arrays(1)
    assert read_dataset(unpack(content)).class_names == ("class_1",)
    content["val_labels"][0] = 3
    dataset = read_dataset(unpack(content))
    assert dataset.class_names == ("class_0", "class_1", "class_2", "class_3")
    assert dataset.holdout.labels[0].tolist() == [0, 0, 0, 1]
    assert (dataset.train.labels.sum(axis=1) == 1).all()


def test_a_file_is_unpacked_once_and_a_folder_is_left_alone(unpack, tmp_path, monkeypatch):
    folder = unpack(arrays())
    monkeypatch.setattr(medmnist, "_unpack", lambda *_: pytest.fail("unpacked again"))
    assert unpacked(tmp_path / "toy.npz", tmp_path / "runs") == folder
    assert unpacked(tmp_path, tmp_path / "runs") == tmp_path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"val_images": None}, "val_labels or val_images is missing"),
        ({"train_images": np.zeros((12, 5, 5, 5), np.uint8)}, "expected images of shape"),
        ({"train_images": np.zeros((12, 5, 5), np.float32)}, "got float32 of shape"),
        ({"train_images": np.zeros((11, 5, 5), np.uint8)}, r"got 11 train_images and train_labels of shape \(12, 2\)"),
        ({"train_labels": np.array(1)}, r"got 12 train_images and train_labels of shape \(\)"),
        ({"train_labels": np.full((12, 2), 2**63, np.uint64)}, "expected train_labels to be whole numbers"),
        ({"train_labels": np.zeros((12, 3), np.uint8)}, "expected as many labels in every split"),
        ({"train_labels": np.full((12, 2), 2)}, "expected labels of 0 and 1, or one class an image"),
        ({"train_labels": np.full((12, 2), 0.5)}, "expected train_labels to be whole numbers"),
        ({"train_labels": np.array([{}] * 12, dtype=object)}, "cannot be read .*allow_pickle"),
    ],
)
def test_other_files_are_refused_and_leave_nothing(unpack, tmp_path, changed, said):
    content = {name: values for name, values in {**arrays(), **changed}.items() if values is not None}
    with pytest.raises(DataError, match=f"toy.npz: .*{said}"):
        unpack(content)
    assert not [path for path in (tmp_path / "runs" / ".unpacked").iterdir() if path.suffix != ".lock"]


def test_damaged_files_and_full_disks_are_named(unpack, tmp_path, monkeypatch):
    np.savez(tmp_path / "toy.npz", **arrays())
    whole = (tmp_path / "toy.npz").read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:400] + bytes([whole[400] ^ 255]) + whole[401:]):
        (tmp_path / "toy.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"toy\.npz: expected an \.npz file of plain arrays, but it cannot be read"):
            unpacked(tmp_path / "toy.npz", tmp_path / "runs")
    monkeypatch.setattr(medmnist.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(StorageError, match="Make room, or name another place by --runs DIR"):
        unpack(arrays())


def head(*shape: int, dtype: str = "|u1") -> bytes:
    """What stands before the numbers of an array, and none of these."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": dtype})
    return stream.getvalue()


LONG_HEAD = b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b" " * 1000


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"train_images": head(12, 100_000, 100_000)}, "its head says 100,000 × 100,000. It was not decoded"),
        ({"train_images": head(12, 2**31, 2**33)}, "at most 67,108,864 pixels"),  # a product that int64 cannot hold
        ({"test_images": head(3, 5, 2**63, 3)}, "at most 67,108,864 pixels"),
        (
            {"val_images": LONG_HEAD},
            "a head of at most 65,536 bytes before the numbers of 'val_images.npy', got 2,147,",
        ),
        (
            {"val_labels": LONG_HEAD},
            "a head of at most 65,536 bytes before the numbers of 'val_labels.npy', got 2,147,",
        ),
        (
            {"train_images": head(6_000_000, 1, 1), "train_labels": head(6_000_000, 1)},
            "at most 5,000,000 images a split, got 6,000,000",
        ),
        (
            {"train_images": head(10**6, 1, 1), "train_labels": head(10**6, 504)},
            "labels that take at most 4,026,531,840 bytes, 8 a number, got 504,000,014 of them",
        ),
        ({"train_labels": head(600_000_000, 1)}, r"got 12 train_images and train_labels of shape \(600000000, 1\)"),
    ],
)
def test_what_would_fill_memory_is_refused_by_its_head(tmp_path, monkeypatch, planted, said):
    monkeypatch.setattr(medmnist, "read_labels", lambda *_: pytest.fail("read"))
    with zipfile.ZipFile(tmp_path / "toy.npz", "w") as archive:
        for name, values in arrays().items():
            stream = io.BytesIO()
            np.save(stream, values)
            archive.writestr(f"{name}.npy", planted.get(name, stream.getvalue()))
    with pytest.raises(DataError, match=said):
        unpacked(tmp_path / "toy.npz", tmp_path / "runs")


def test_a_column_for_each_class_must_fit_into_memory(unpack, monkeypatch):
    content = arrays(1)
    content["val_labels"][0] = 3
    monkeypatch.setattr(medmnist_arrays, "MAX_ARRAY_BYTES", 600)
    with pytest.raises(DataError, match="labels that take at most 600 bytes, 8 a number, got 76 of them"):
        unpack(content)


def test_an_array_without_an_ending_is_not_taken_for_the_one_that_was_looked_at(tmp_path):
    np.savez(tmp_path / "toy.npz", **arrays())
    with zipfile.ZipFile(tmp_path / "toy.npz", "a") as archive:
        archive.writestr("train_labels", b"other")
    folder = unpacked(tmp_path / "toy.npz", tmp_path / "runs")
    np.testing.assert_array_equal(read_dataset(folder).train.labels, arrays()["train_labels"])


def test_files_of_equal_size_and_time_of_change_are_two(tmp_path):
    folders = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        content = arrays()
        content["train_labels"][:, 0] = name == "a"
        np.savez(tmp_path / name / "data.npz", **content)
        os.utime(tmp_path / name / "data.npz", ns=(10**18, 10**18))
        folders.append(unpacked(tmp_path / name / "data.npz", tmp_path / "runs"))
    assert (tmp_path / "a" / "data.npz").stat().st_size == (tmp_path / "b" / "data.npz").stat().st_size
    assert [read_dataset(folder).train.labels[:, 0].tolist() for folder in folders] == [[1.0] * 12, [0.0] * 12]


def test_all_is_on_disk_before_the_folder_has_its_name(unpack, tmp_path, monkeypatch):
    runs, happened = tmp_path / "runs" / ".unpacked", []

    def note(what: object) -> None:
        (part,) = (path for path in runs.iterdir() if path.is_dir())
        happened.append((what, part.name, len([*part.rglob("*")])))

    monkeypatch.setattr(medmnist, "sync_disk", note)
    monkeypatch.setattr(medmnist, "sync_folder", note)
    folder = unpack(arrays())
    n_files = len([*folder.rglob("*")])
    part = f".{folder.name}.part"
    assert happened == [(runs / part, part, n_files), (runs, folder.name, n_files)]


def test_a_disk_gives_each_image_a_block(unpack, monkeypatch):
    monkeypatch.setattr(medmnist.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 19 * 4096 - 1}))
    with pytest.raises(StorageError, match=r"the images unpack to 0\.1 MiB, 0\.1 are free"):
        unpack(arrays())
    monkeypatch.setattr(medmnist.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 19 * 4096}))
    assert unpack(arrays()).is_dir()
