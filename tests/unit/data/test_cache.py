from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.data.cache import CACHE_VERSION, build_cache, open_cache
from ensemble.errors import ArtefactError, DataError, StorageError

SIZE = (6, 4)


@pytest.fixture
def root(tmp_path):
    """Three 8-bit images of one grey each: a 10, b 20, p/c 30."""
    folder = tmp_path / "set"
    (folder / "p").mkdir(parents=True)
    for name, grey in (("a", 10), ("b", 20), ("p/c", 30)):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((12, 8), grey, np.uint8))
    return folder


FILES = ["b.png", "a.png", "p/c.png"]


def _build(folder: Path, root: Path, files=FILES, **arguments):
    return build_cache(folder, root, files, **{"image_size": SIZE, "workers": 2, "progress": None, **arguments})


def test_images_are_found_by_their_files(tmp_path, root):
    cache = _build(tmp_path / "cache", root)
    assert isinstance(cache.images, np.memmap)
    assert cache.images.shape == (3, *SIZE)
    assert cache.images.dtype == np.uint8
    assert not cache.images.flags.writeable
    rows = cache.rows_of(["p/c.png", "a.png", "a.png", "b.png"])
    assert rows.dtype == np.int64
    assert cache.images[rows][:, 0, 0].tolist() == [30, 10, 10, 20]
    assert len(cache.rows_of([])) == 0


def test_unknown_files_are_named(tmp_path, root):
    cache = _build(tmp_path / "cache", root)
    with pytest.raises(DataError, match=r"the cache lacks 2 images: 'zz.png', 'A.png'"):
        cache.rows_of(["a.png", "zz.png", "A.png"])


def test_a_cache_is_used_again_whatever_the_order(tmp_path, root):
    calls = []
    first = _build(tmp_path / "cache", root, progress=lambda *numbers: calls.append(numbers))
    assert calls == [(3, 3)]
    again = _build(
        tmp_path / "cache", root, [*reversed(FILES), "a.png"], progress=lambda *_: pytest.fail("built again")
    )
    assert again.folder == first.folder


def test_another_size_file_or_set_is_another_cache(tmp_path, root):
    folders = {_build(tmp_path / "cache", root).folder}
    folders.add(_build(tmp_path / "cache", root, image_size=(4, 6)).folder)
    folders.add(_build(tmp_path / "cache", root, FILES[:2]).folder)
    os.utime(root / "a.png", ns=(1, 1))
    folders.add(_build(tmp_path / "cache", root).folder)
    cv2.imwrite(str(root / "a.png"), np.full((12, 8), 99, np.uint8))
    changed = _build(tmp_path / "cache", root)
    folders.add(changed.folder)
    assert len(folders) == 5
    assert changed.images[changed.rows_of(["a.png"])][0, 0, 0] == 99


def test_files_that_agree_in_name_length_and_time_are_told_apart_by_their_contents(tmp_path, root):
    other = tmp_path / "other"
    (other / "p").mkdir(parents=True)
    for folder, grey in ((root, 10), (other, 11)):
        cv2.imwrite(str(folder / "a.bmp"), np.full((12, 8), grey, np.uint8))
        os.utime(folder / "a.bmp", (1, 1))
    first, second = (_build(tmp_path / "cache", folder, ["a.bmp"]) for folder in (root, other))
    assert (first.images[0, 0, 0], second.images[0, 0, 0]) == (10, 11)


def test_the_place_of_the_dataset_does_not_matter(tmp_path, root):
    first = _build(tmp_path / "cache", root)
    root.rename(tmp_path / "moved")
    assert _build(tmp_path / "cache", tmp_path / "moved").folder == first.folder


def test_sixteen_bits_anywhere_make_all_sixteen(tmp_path, root):
    for name in ("d", "0"):  # the last file, then the first one
        cv2.imwrite(str(root / f"{name}.png"), np.full((12, 8), 1000, np.uint16))
        cache = _build(tmp_path / "cache", root, [*FILES, f"{name}.png"])
        assert cache.images.dtype == np.uint16
        rows = cache.rows_of(["a.png", f"{name}.png"])
        assert cache.images[rows][:, 0, 0].tolist() == [10 * 257, 1000]


def test_eight_bits_are_scaled_before_they_are_resized(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 1]], np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.array([[0, 1]], np.uint16))
    cache = build_cache(tmp_path / "cache", tmp_path, ["a.png", "b.png"], image_size=(1, 1))
    assert cache.images[0, 0, 0] in (128, 129)


def test_more_images_than_fit_in_one_chunk(tmp_path):
    for index in range(600):
        cv2.imwrite(str(tmp_path / f"{index:03}.bmp"), np.full((2, 2), index % 256, np.uint8))
    files = [f"{index:03}.bmp" for index in range(600)]
    calls = []
    cache = build_cache(
        tmp_path / "cache", tmp_path, files, image_size=(2, 2), workers=3, progress=lambda *n: calls.append(n)
    )
    assert cache.images[:, 0, 0].tolist() == [index % 256 for index in range(600)]
    assert calls == [(256, 600), (512, 600), (600, 600)]


def test_missing_images_are_named(tmp_path, root):
    with pytest.raises(DataError, match=r"2 image files are missing: 'x.png', 'y.png'"):
        _build(tmp_path / "cache", root, ["a.png", "y.png", "x.png"])
    with pytest.raises(DataError, match="expected images to decode, got none"):
        _build(tmp_path / "cache", root, [])


def test_damaged_images_are_named_together_and_nothing_stays(tmp_path, root):
    for index in range(7):
        (root / f"bad{index}.png").write_bytes(b"no image")
    bad = [f"bad{index}.png" for index in range(7)]
    with pytest.raises(DataError, match=r"7 images cannot be used: .*bad0.png.*bad4.png.* \(\+2 more\)"):
        _build(tmp_path / "cache", root, [*FILES, *bad])
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".lock")] == []


def test_an_image_that_went_bad_since_the_cache_was_made_is_named(tmp_path, root):
    before = _build(tmp_path / "cache", root)
    (root / "b.png").write_bytes(b"no image any more")
    with pytest.raises(DataError, match=r"1 image cannot be used: .*b\.png"):
        _build(tmp_path / "cache", root)
    assert open_cache(before.folder).sha256 == before.sha256


def test_a_disk_that_is_full_under_way_is_named_and_left_without_a_part(tmp_path, root):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(StorageError, match=r"it cannot be written \(File too large\)"):
            _build(tmp_path / "cache", root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".lock")] == []


def _truncate(folder: Path) -> None:
    os.truncate(folder / "images.npy", (folder / "images.npy").stat().st_size - 1)


def _lengthen(folder: Path) -> None:
    with (folder / "images.npy").open("ab") as stream:
        stream.write(b"x")


def _empty(folder: Path) -> None:
    (folder / "images.npy").write_bytes(b"")


def _forget(folder: Path) -> None:
    (folder / "cache.json").unlink()


def _other_version(folder: Path) -> None:
    facts = json.loads((folder / "cache.json").read_text())
    (folder / "cache.json").write_text(json.dumps({**facts, "version": 99}))


def _no_facts(folder: Path) -> None:
    (folder / "cache.json").write_text(f'{{"version": {CACHE_VERSION}}}')


def _no_digest(folder: Path) -> None:
    facts = json.loads((folder / "cache.json").read_text())
    del facts["sha256"]
    (folder / "cache.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("damage", [_truncate, _lengthen, _empty, _forget, _other_version, _no_facts, _no_digest])
def test_a_damaged_cache_is_told_and_built_anew(tmp_path, root, damage):
    folder = _build(tmp_path / "cache", root).folder
    damage(folder)
    with pytest.raises(ArtefactError, match=r"damaged|missing|version 99"):
        open_cache(folder)
    cache = _build(tmp_path / "cache", root)
    assert cache.folder == folder
    assert cache.images[:, 0, 0].tolist() == [10, 20, 30]


def test_a_pickled_cache_maps_the_file_again(tmp_path, root):
    cache = _build(tmp_path / "cache", root)
    pickled = pickle.dumps(cache)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(again.gather(np.array([2, 0])), cache.images[[2, 0]])


def test_cv2_has_its_threads_again_after_building(tmp_path, root):
    before = cv2.getNumThreads()
    _build(tmp_path / "cache", root)
    assert cv2.getNumThreads() == before


_BUILD = """
import sys
from pathlib import Path
from ensemble.data.cache import build_cache
built = []
cache = build_cache(
    Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:], image_size=(6, 4), progress=lambda *n: built.append(n)
)
print(len(built), cache.images[:, 0, 0].tolist())
"""


def test_two_processes_at_once_build_it_once(tmp_path, root):
    command = [sys.executable, "-c", _BUILD, str(tmp_path / "cache"), str(root), *FILES]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reports = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert reports == ["0 [10, 20, 30]", "1 [10, 20, 30]"]


def test_the_digest_is_of_the_pixels_not_of_names_or_times(tmp_path, root):
    first = _build(tmp_path / "cache", root)
    assert first.sha256 == hashlib.sha256((first.folder / "images.npy").read_bytes()).hexdigest()
    assert json.loads((first.folder / "cache.json").read_text())["sha256"] == first.sha256
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    os.utime(copy / "a.png", (1, 1))
    copied = _build(tmp_path / "cache", copy)
    assert copied.folder != first.folder
    assert copied.sha256 == first.sha256
    cv2.imwrite(str(copy / "a.png"), np.full((12, 8), 11, np.uint8))
    assert _build(tmp_path / "cache", copy).sha256 != first.sha256


def test_the_digest_covers_what_is_written_anew_with_more_bits(tmp_path, root):
    cv2.imwrite(str(root / "p" / "c.png"), np.full((12, 8), 3000, np.uint16))
    cache = _build(tmp_path / "cache", root)
    assert cache.images.dtype == np.uint16
    assert cache.sha256 == hashlib.sha256((cache.folder / "images.npy").read_bytes()).hexdigest()
