"""Which files of a folder are predicted, and why others are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ensemble.errors import DataError
from ensemble.prediction.images import find_images


def test_what_cannot_be_an_image_of_the_folder_is_listed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "scans", tmp_path / "outside.png"
    folder.mkdir()
    outside.touch()
    (folder / "a.png").touch()
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder / "leads_out.png").symlink_to(outside)
    (folder / "nowhere.png").symlink_to(folder / "missing.png")
    os.mkfifo(folder / "pipe.png")
    Path(os.fsdecode(os.fsencode(folder) + b"/x\xff.png")).touch()
    problems = {file.image_id: file.problem for file in find_images(folder, ("c",)).files}
    assert problems == {
        "a.png": "",
        "inside.png": "",
        "leads_out.png": "a link leads out of the image folder",
        "nowhere.png": "expected a file, got a pipe, a device or a link that leads nowhere",
        "pipe.png": "expected a file, got a pipe, a device or a link that leads nowhere",
        "x\\xff.png": "expected a file's name in UTF-8: rename it",
    }


def test_a_folder_without_a_usable_image_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=r"none of its 1 image can be read: pipe\.png: expected a file, got a pipe"):
        find_images(tmp_path, ("c",))
    with pytest.raises(DataError, match=r"pipe\.png: expected an image, got a pipe or device"):
        find_images(tmp_path / "pipe.png", ("c",))
