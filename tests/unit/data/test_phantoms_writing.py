from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.data.phantoms import writing
from ensemble.data.phantoms.draw import draw_phantom
from ensemble.data.phantoms.plan import PhantomSize
from ensemble.data.phantoms.sheet import write_sheet
from ensemble.data.phantoms.writing import write_phantoms
from ensemble.dataset import read_dataset
from ensemble.errors import DataError

TINY = PhantomSize(train=20, holdout=6, test=6, pixels=32)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_arguments_give_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "a", TINY, seed=7, workers=1)
    write_phantoms(tmp_path / "b", TINY, seed=7, workers=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_more_images_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "small", TINY)
    write_phantoms(tmp_path / "large", PhantomSize(train=40, holdout=9, test=9, pixels=32))
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    images = [name for name in small if name.endswith(".png")]
    assert len(images) == TINY.total
    assert all(small[name] == large[name] for name in images)


def test_the_folder_reads_as_a_dataset(tmp_path: Path) -> None:
    written = write_phantoms(tmp_path / "phantoms", TINY)
    dataset = read_dataset(tmp_path / "phantoms")
    assert dataset.class_names == ("class1", "class2", "class3")
    assert (dataset.n_folds, dataset.unused_tables) == (3, ())
    assert dataset.holdout is not None
    assert dataset.test is not None
    assert [len(split.image_ids) for split in (dataset.train, dataset.holdout, dataset.test)] == [20, 6, 6]
    order = np.argsort(written.plans["train"].image_ids)
    np.testing.assert_array_equal(dataset.train.labels, written.plans["train"].labels[order])
    np.testing.assert_array_equal(dataset.train.groups, written.plans["train"].groups[order])
    np.testing.assert_array_equal(dataset.true_probabilities, written.plans["train"].probabilities[order])


def test_images_are_grey_eight_bit_pngs(tmp_path: Path) -> None:
    plan = write_phantoms(tmp_path / "phantoms", TINY).plans["train"]
    image = cv2.imread(str(tmp_path / "phantoms/images" / f"{plan.image_ids[0]}.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image, draw_phantom(plan, 0, pixels=32))


def test_progress_counts_up_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_phantoms(tmp_path / "phantoms", TINY, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (32, 32)


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    assert write_phantoms(tmp_path / "phantoms", TINY).written
    before = (tmp_path / "phantoms/train_labels.csv").stat().st_mtime_ns
    assert not write_phantoms(tmp_path / "phantoms", TINY).written
    assert (tmp_path / "phantoms/train_labels.csv").stat().st_mtime_ns == before


def test_other_phantoms_are_replaced_only_on_request(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "phantoms", TINY, seed=0)
    with pytest.raises(DataError, match=r"expected format 1, seed 1: .*; got other phantoms, format 1, seed 0: "):
        write_phantoms(tmp_path / "phantoms", TINY, seed=1)
    assert write_phantoms(tmp_path / "phantoms", TINY, seed=1, overwrite=True).set_aside is None
    assert [path.name for path in tmp_path.iterdir()] == ["phantoms"]


def test_a_folder_of_someone_else_is_refused_and_never_deleted(tmp_path: Path) -> None:
    theirs = tmp_path / "data"
    theirs.mkdir()
    (theirs / "dataset.yaml").write_text("n_folds: 5\n")
    with pytest.raises(DataError, match=r"got one that holds something else\. Name another folder, or add --overwrite"):
        write_phantoms(theirs, TINY)
    assert [path.name for path in theirs.iterdir()] == ["dataset.yaml"]
    aside = write_phantoms(theirs, TINY, overwrite=True).set_aside
    assert aside == tmp_path / "data.before-1"
    assert (aside / "dataset.yaml").read_text() == "n_folds: 5\n"


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "phantoms").mkdir()
    assert write_phantoms(tmp_path / "phantoms", TINY).written


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "phantoms").write_text("")
    with pytest.raises(DataError, match="expected a folder for the phantom dataset, got a file"):
        write_phantoms(tmp_path / "phantoms", TINY, overwrite=True)


@pytest.mark.parametrize("folder", [".", ".."])
def test_the_working_directory_is_refused(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="got the working directory or one above it"):
        write_phantoms(Path(folder), TINY, overwrite=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_old_data_and_nothing_else(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_phantoms(tmp_path / "phantoms", TINY, seed=0)
    before = contents(tmp_path / "phantoms")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(writing, "draw_phantom", fail)
    with pytest.raises(error):
        write_phantoms(tmp_path / "phantoms", TINY, seed=1, overwrite=True)
    assert contents(tmp_path / "phantoms") == before
    assert [path.name for path in tmp_path.iterdir()] == ["phantoms"]


def test_an_image_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imwrite", lambda *_args: False)
    with pytest.raises(OSError, match=r"\.png: the image could not be written"):
        write_phantoms(tmp_path / "phantoms", TINY)


def test_a_contact_sheet_shows_every_combination_of_labels(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", pixels=32, columns=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (8 * 34, 84 + 2 * 34)


def test_a_contact_sheet_is_a_png(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sheet.jpg: expected a file name that ends in \.png"):
        write_sheet(tmp_path / "sheet.jpg")
