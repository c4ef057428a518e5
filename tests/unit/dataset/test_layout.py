from __future__ import annotations

import pytest

from ensemble.dataset import read_dataset
from ensemble.errors import DataError


def test_a_missing_folder_names_the_demo_and_draws_the_layout(tmp_path):
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path / "none")
    text = str(caught.value)
    assert "there is no such folder" in text
    assert f"python -m ensemble.demo {tmp_path / 'none'}" in text
    assert "images/" in text
    assert "train_labels.csv" in text


def test_a_file_is_no_dataset(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="this is a file, not a folder"):
        read_dataset(tmp_path / "file")


def test_missing_labels_name_the_demo(make):
    with pytest.raises(DataError, match=r"expected train_labels.csv, and it is missing(.|\n)*python -m ensemble.demo"):
        read_dataset(make({"train_labels.csv": None}))


def test_names_with_spaces(make):
    labels = "id,one,two\na,1,0\n"
    dataset = read_dataset(
        make(
            {
                "train_labels.csv": None,
                "train labels.csv": labels,
                "val_labels.csv": None,
                "val labels.csv": "id,one,two\nb,1,0\n",
                "sample_submission.csv": None,
                "sample_submission.txt": "id;one;two\nc;0;0\n",
            }
        )
    )
    assert dataset.holdout.image_ids.tolist() == ["b"]
    assert dataset.test.image_ids.tolist() == ["c"]


def test_two_files_for_one_purpose_are_refused_together(make):
    folder = make({"train labels.csv": "id,one\na,1\n", "sample_submission.txt": "id,one\ne,1\n"})
    with pytest.raises(DataError) as caught:
        read_dataset(folder)
    text = str(caught.value)
    assert "2 problems" in text
    assert "expected one of the files 'train labels.csv', 'train_labels.csv'" in text
    assert "'sample_submission.csv', 'sample_submission.txt'" in text


def test_a_file_that_dataset_yaml_names_must_be_there(make):
    with pytest.raises(DataError, match=r"dataset.yaml names 'mine.csv', and there is no such file in"):
        read_dataset(make({"dataset.yaml": "groups: [mine.csv]\n"}))


@pytest.mark.parametrize(
    "images",
    [
        [f"images/{name}.png" for name in "abcdef"],
        [f"{name}.png" for name in "abcdef"],
        ["train/a.png", "train/b.png", "train/c.png", "val/d.png", "test/e.png", "test/f.png"],
        [*(f"images/{name}.png" for name in "abcd"), "test/e.png", "test/f.png"],
        [*(f"images/train/{name}.png" for name in "abc"), "images/val/d.png", "images/test/e.png", "images/test/f.png"],
        [*(f"images/{name}.png" for name in "abcd"), "images/test/e.png", "images/test/f.png"],
    ],
)
def test_images_are_found_in_every_usual_place(make, images):
    dataset = read_dataset(make(images=images))
    files = [file for split in (dataset.train, dataset.holdout, dataset.test) for file in split.image_files.tolist()]
    assert files == images


def test_image_folders_that_dataset_yaml_names(make):
    settings = "images: {train: x, holdout: x/y, test: .}\n"
    images = ["x/a.png", "x/b.png", "x/c.png", "x/y/d.png", "e.png", "f.png"]
    dataset = read_dataset(make({"dataset.yaml": settings}, images))
    assert dataset.holdout.image_files.tolist() == ["x/y/d.png"]
    assert dataset.test.image_files.tolist() == ["e.png", "f.png"]


def test_image_folders_that_dataset_yaml_names_must_hold_the_images(make):
    with pytest.raises(DataError, match=r"Looked in pictures/ \(no such folder\)"):
        read_dataset(make({"dataset.yaml": "images: pictures\n"}))
    with pytest.raises(DataError, match=r"dataset.yaml names no folder of images for them"):
        read_dataset(make({"dataset.yaml": "images: {train: images}\n"}))


def test_the_demo_is_named_at_the_origins_size_for_the_origins_folder(tmp_path):
    with pytest.raises(DataError, match=r"python -m ensemble\.demo \S+/origin --size origin$"):
        read_dataset(tmp_path / "origin")
    with pytest.raises(DataError, match=r"python -m ensemble\.demo '\S+/my data'   \(--size origin: as many"):
        read_dataset(tmp_path / "my data")


def test_the_demo_is_not_told_to_write_where_something_is(make):
    with pytest.raises(DataError, match=r"python -m ensemble\.demo DIR "):
        read_dataset(make({"train_labels.csv": None}))
