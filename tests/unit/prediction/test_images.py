"""Which files of a folder or table are predicted, and why others are not."""

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


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with images, one of them a link to a file elsewhere."""
    folder = tmp_path / "scans"
    (folder / "sub").mkdir(parents=True)
    for path in (folder / "a.png", folder / "sub" / "b.png", tmp_path / "outside.png"):
        path.touch()
    (folder / "leads_out.png").symlink_to(tmp_path / "outside.png")
    return folder


def problems_of(scans: Path, header: str, texts: list[str]) -> list[str]:
    """What is said of each row, without the folder's name."""
    rows = texts if header == "id" else [f"n{number},{text}" for number, text in enumerate(texts)]
    (scans / "ids.csv").write_text("\n".join([header, *rows]) + "\n")
    found = find_images(scans / "ids.csv", ("c",)).files
    assert [file.path is None for file in found] == [bool(file.problem) for file in found]
    return [file.problem.removeprefix(f"{scans}: ") for file in found]


def test_ids_do_not_leave_the_folder(scans: Path) -> None:
    outside = scans.parent / "outside.png"
    within = ["a.png", "./sub/b.png", "gone.png"]
    said = problems_of(scans, "id", [*within, "leads_out", "./leads_out.png", "../outside.png", str(outside)])
    assert said[:3] == ["", "", "the image file is missing for 'gone.png'"]
    why = "a link leads out of the image folder for"
    assert said[3:5] == [f"{why} 'leads_out'", f"{why} './leads_out.png'"]
    assert said[5:] == [
        f"expected an id below {scans}, got {text!r}. A column 'path' may name files elsewhere"
        for text in ("../outside.png", str(outside))
    ]


def test_a_column_of_paths_may_name_files_elsewhere_through_links_too(scans: Path) -> None:
    outside = str(scans.parent / "outside.png")
    texts = ["a.png", "../outside.png", outside, "leads_out.png", "./leads_out.png", "gone.png"]
    said = problems_of(scans, "name,path", texts)
    assert said == ["", "", "", "", "", "the image file is missing for 'gone.png'"]


def test_an_image_folder_may_be_a_link(scans: Path) -> None:
    elsewhere = scans.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.png").touch()
    (scans / "images").symlink_to(elsewhere)
    assert problems_of(scans, "id", ["c", "images/c.png", "./images/c.png"]) == ["", "", ""]
