from __future__ import annotations

import numpy as np
import pytest

from ensemble.dataset import medmnist, read_dataset
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
        ({"train_images": np.zeros((11, 5, 5), np.uint8)}, "got 11 train_images, 12 labels"),
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
