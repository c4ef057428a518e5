from __future__ import annotations

import os

import pytest

from ensemble.dataset import read_dataset
from ensemble.errors import DataError


def _train(*ids: str) -> dict[str, str | None]:
    rows = "".join(f"{image_id},1\n" for image_id in ids)
    return {"train_labels.csv": f"id,one\n{rows}", "val_labels.csv": None, "sample_submission.csv": None}


def test_ids_with_and_without_endings_in_any_case(make):
    images = ["images/007.PNG", "images/NA.jpeg", "images/c.TIF", "images/p1/a.webp", "images/d.e.bmp"]
    dataset = read_dataset(make(_train("007", "NA.jpeg", "c.tif", "p1/a", "d.e"), images))
    assert dataset.train.image_files.tolist() == images
    assert dataset.train.image_ids.tolist() == ["007", "NA.jpeg", "c.tif", "p1/a", "d.e"]


def test_the_very_name_comes_before_another_spelling(make, tmp_path):
    folder = make(_train("a.png"), ["images/a.png", "images/a.PNG"])
    assert read_dataset(folder).train.image_files.tolist() == ["images/a.png"]


def test_ids_that_name_the_image_folder(make):
    dataset = read_dataset(make(_train("images/a.png"), ["images/a.png"]))
    assert dataset.train.image_files.tolist() == ["images/a.png"]


def test_missing_images_are_counted_named_and_where_they_were_looked_for(make):
    ids = [f"x{index}" for index in range(7)]
    with pytest.raises(DataError) as caught:
        read_dataset(make(_train("a", *ids), ["images/a.png", "images/X1.png"]))
    text = str(caught.value)
    assert "train_labels.csv: 7 of its 8 images are missing: 'x0' (line 3), 'x1' (line 4), 'x2' (line 5)," in text
    assert "Looked in images/ (holds e.g. '" in text
    assert ".png .jpg .jpeg .bmp .tif .tiff .webp" in text
    assert "dataset.yaml (images: FOLDER)" in text


def test_an_id_that_matches_two_files_is_refused_by_name(make):
    with pytest.raises(
        DataError, match=r"train_labels.csv: 1 id matches more than one file: 'a' \(images/a.jpg, images/a.png\)"
    ):
        read_dataset(make(_train("a"), ["images/a.png", "images/a.jpg"]))
    with pytest.raises(DataError, match=r"'a' \(a.png, images/a.jpg, images/a.png\)"):
        read_dataset(make(_train("a"), ["a.png"]))


def test_two_ids_of_one_file_are_refused(make):
    with pytest.raises(DataError, match=r"expected one id a file, but 1 files have more: 'a.PNG' = 'a.png'"):
        read_dataset(make(_train("a.PNG", "a.png"), ["images/a.png"]))


def test_images_without_an_id_are_listed(make):
    more = ["images/g.png", "images/p1/h.tif", "images/i.txt", "j.png", "notes/k.png", "images/.hidden"]
    images = [*(f"images/{name}.png" for name in "abcde"), "images/f.JPG", *more]
    data = read_dataset(make(images=images))
    assert data.images_without_id == ("images/g.png", "images/p1/h.tif", "j.png")
    assert data.describe_images_without_id() == (
        "3 images without an id in any table: 'images/g.png', 'images/p1/h.tif', 'j.png'"
    )
    assert read_dataset(make(), images=False).images_without_id == ()


def test_folders_and_foreign_files_are_no_images(make):
    folder = make(_train("a", "b"), ["images/a.png/x", "images/b.txt"])
    with pytest.raises(DataError, match="2 of its 2 images are missing"):
        read_dataset(folder)


def test_unfit_ids_are_refused_and_never_looked_up(make, tmp_path):
    (tmp_path / "x.png").touch()
    with pytest.raises(DataError) as caught:
        read_dataset(make(_train("a", "../../x", "../x", "/etc/passwd"), ["images/a.png"]))
    assert "3 of 4 ids cannot be used: '../../x' (line 3), '../x' (line 4)" in str(caught.value)
    assert "missing" not in str(caught.value)


def test_unfit_ids_are_complained_of_once(make):
    with pytest.raises(DataError) as caught:
        read_dataset(make({**_train("a", "../x"), "groups.csv": "id,group\na,1\n"}, ["images/a.png"]))
    assert str(caught.value).count("../x") == 1
    with pytest.raises(DataError, match="2 problems"):
        read_dataset(make({**_train("../x"), "groups.csv": "id,x,y\n"}, ()))


def test_links_that_lead_out_are_refused(make, tmp_path):
    folder = make(_train("a", "b", "p/c"), ["images/a.png"])
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("b", "c"):
        (outside / f"{name}.png").touch()
    (folder / "images" / "b.png").symlink_to(outside / "b.png")
    (folder / "images" / "p").symlink_to(outside)
    with pytest.raises(
        DataError, match=r"2 of its 3 images are links that lead out .*: 'b' \(line 3\), 'p/c' \(line 4\)"
    ):
        read_dataset(folder)


def test_links_inside_and_broken_links(make):
    folder = make(_train("a", "b", "c"), ["images/a.png", "images/deep/b.png"])
    (folder / "images" / "b.png").symlink_to("deep/b.png")
    (folder / "images" / "c.png").symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"1 of its 3 images is missing: 'c' .line 4."):
        read_dataset(folder)
    (folder / "images" / "c.png").unlink()
    (folder / "images" / "c.png").touch()
    assert read_dataset(folder).train.image_files.tolist() == ["images/a.png", "images/b.png", "images/c.png"]


def test_a_link_to_itself_is_a_missing_image(make):
    folder = make(_train("a", "b"), ["images/a.png"])
    (folder / "images" / "b.png").symlink_to("b.png")
    with pytest.raises(DataError, match=r"1 of its 2 images is missing: 'b' \(line 3\)"):
        read_dataset(folder)


def test_a_very_long_id_is_shown_cut(make):
    with pytest.raises(DataError) as caught:
        read_dataset(make(_train("a" * 5000), ()))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("image", "image_id", "difference"),
    [
        ("a.png", "A", "upper and lower case"),
        ("007.png", "7", "zeros in front"),
        ("a.png", "a.nii", "file endings"),
        ("7.png", "7.0", "'.0' at the end"),
        ("a.png", " a", "spaces around them"),
        ("a_1.png", "a-1", "'-' and '_'"),
        ("\u00fc.png", "u\u0308", "accents in two pieces"),
        ("a.png", "\u200ba", "cannot be seen"),
    ],
)
def test_ids_that_are_spelled_otherwise_than_the_files(make, image, image_id, difference):
    tables = {"train_labels.csv": f"id,one\n{image_id},1\n", "val_labels.csv": None, "sample_submission.csv": None}
    with pytest.raises(DataError, match=f"1 of its 1 image is missing(.|\n)*They differ by .*{difference}"):
        read_dataset(make(tables, images=[f"images/{image}", "images/other.png"]))


def test_the_folder_and_its_image_folders_may_be_links(make, tmp_path):
    folder = make(_train("a", "p/b"), ())
    store = tmp_path / "store"
    (store / "p").mkdir(parents=True)
    (store / "a.png").touch()
    (store / "p" / "b.png").touch()
    (folder / "images").symlink_to(store)
    (tmp_path / "link").symlink_to(folder)
    dataset = read_dataset(tmp_path / "link")
    assert dataset.train.image_files.tolist() == ["images/a.png", "images/p/b.png"]
    assert dataset.name == "set"


def test_every_folder_is_listed_once(make, monkeypatch):
    ids = [f"p{index % 3}/{index:03d}" for index in range(100)]
    folder = make(_train(*ids), [f"images/{image_id}.png" for image_id in ids])
    listings = []
    scandir = os.scandir
    monkeypatch.setattr("ensemble.dataset.image_files.os.scandir", lambda path: listings.append(path) or scandir(path))
    read_dataset(folder)
    assert sorted(path.name for path in listings) == ["images", "p0", "p1", "p2", "set"]


@pytest.mark.parametrize(
    ("image", "image_id", "place"),
    [
        ("images/site1/x.png", "x", r"images/site1/x\.png: name the folder in dataset\.yaml \(images: images/site1\)"),
        ("pictures/x.JPG", "x.jpg", r"pictures/x\.JPG: name the folder in dataset\.yaml \(images: pictures\)"),
    ],
)
def test_images_in_an_unusual_place_are_said_to_be_there(make, image, image_id, place):
    with pytest.raises(DataError, match=rf"1 of its 2 images is missing.*For '{image_id}' there is {place}"):
        read_dataset(make(_train("a", image_id), ["images/a.png", image]))
