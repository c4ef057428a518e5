"""Caches that were killed, damaged or cut: what is trusted, what is done again."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ensemble.data import cache_blocks, cache_check
from ensemble.data.cache import build_cache, open_cache
from ensemble.data.cache_blocks import layout_of
from ensemble.data.cache_check import check_pixels
from ensemble.data.decode import ImageSource
from ensemble.errors import ArtefactError, DataError, StorageError
from ensemble.files import sha256_of_file

N, SIZE = 50, (2, 2)
FILES = [f"{number:02}.bmp" for number in range(N)]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number, file in enumerate(FILES):
        cv2.imwrite(str(folder / file), np.full((2, 2), number, np.uint8))
    return folder


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(cache_blocks, "_BLOCK_IMAGES", 8)


def build(root: Path, progress=None, files=FILES):
    return build_cache(root.parent / "cache", root, files, image_size=SIZE, workers=2, progress=progress)


def killed_after(root: Path, done: int, files=FILES) -> Path:
    """The folder of a build that ended when ``done`` images were told."""

    def end(now: int, _total: int) -> None:
        if now >= done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(root, end, files)
    (part,) = (root.parent / "cache").glob(".*.part")
    return part


def decoded(monkeypatch) -> list[str]:
    """The files that are decoded from now on."""
    seen, decode = [], ImageSource.decode
    monkeypatch.setattr(
        ImageSource, "decode", lambda source, file, dtype: seen.append(file) or decode(source, file, dtype)
    )
    return seen


def assert_whole(cache):
    assert cache.images[:, 1, 1].tolist() == list(range(N))
    assert not list(cache.folder.parent.glob(".*.part"))
    assert cache.sha256 == sha256_of_file(cache.folder / "images.npy")


def test_a_killed_build_goes_on_where_it_was(root, monkeypatch):
    killed_after(root, 24)
    seen, told = decoded(monkeypatch), []
    assert_whole(build(root, lambda done, total: told.append((done, total))))
    assert sorted(set(seen)) == [FILES[0], *FILES[24:]]  # the first one tells the type
    assert told == [(32, N), (40, N), (48, N), (N, N)]


@pytest.mark.parametrize("torn", ["pixels", "line", "nothing", "no lines", "no type", "garbage"])
def test_what_a_crash_tore_is_decoded_again(root, torn):
    part = killed_after(root, 24)
    images, done = part / "images.npy", part / "done.txt"
    if torn == "pixels":
        content = bytearray(images.read_bytes())
        content[len(layout_of(np.uint8, N, SIZE).header) + 40] ^= 1  # in the second block
        images.write_bytes(content)
    elif torn == "line":
        done.write_text(done.read_text()[:-3])
    elif torn == "nothing":
        images.unlink()
    elif torn == "no lines":
        done.write_text("uint8\n")
    else:
        done.write_bytes(b"" if torn == "no type" else b"\xff\x00uint16")
    assert_whole(build(root))


def test_a_build_killed_just_before_its_end_is_finished(root, monkeypatch):
    killed_after(root, N)
    seen = decoded(monkeypatch)
    assert_whole(build(root))
    assert seen == [FILES[0]]


def test_a_killed_build_of_sixteen_bits_goes_on_with_sixteen(root, monkeypatch):
    cv2.imwrite(str(root / "99.png"), np.full(SIZE, 1000, np.uint16))
    cv2.imwrite(str(root / "05.tif"), np.full(SIZE, 2000, np.uint16))
    files = [*FILES, "99.png", "05.tif"]
    killed_after(root, 24, files)
    seen = decoded(monkeypatch)
    cache = build(root, files=files)
    assert FILES[3] not in seen
    assert cache.images.dtype == np.uint16
    assert cache.images[cache.rows_of(["01.bmp", "05.tif", "99.png"])][:, 0, 0].tolist() == [257, 2000, 1000]


def test_a_build_of_damaged_files_leaves_nothing(root):
    (root / FILES[30]).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1 image cannot be used: .*30\.bmp"):
        build(root)
    assert not list((root.parent / "cache").glob(".*.part"))


def test_a_full_disk_is_told_before_decoding(root, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=100))
    with pytest.raises(ArtefactError, match=r"need 0\.0 MiB, 0\.0 are free. Make room, .* by --cache DIR"):
        build(root)


def flip(path: Path, byte: int, *, keep_time: bool) -> None:
    """Change one bit."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(byte)
        old = stream.read(1)[0]
        stream.seek(byte)
        stream.write(bytes([old ^ 1]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("image", [0, 27, N - 1])
@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_bit_is_found_and_the_cache_built_anew(root, image, keep_time):
    cache = build(root)
    flip(cache.folder / "images.npy", len(layout_of(np.uint8, N, SIZE).header) + 4 * image, keep_time=keep_time)
    with pytest.raises(ArtefactError, match=f"damaged in images {image // 8 * 8} to {min(image // 8 * 8 + 7, N - 1)}"):
        check_pixels(cache.folder, open_cache(cache.folder).images)
    assert_whole(build(root))


def test_of_a_large_untouched_file_a_part_is_read(root, monkeypatch):
    cache = build(root)
    monkeypatch.setattr(cache_check, "_CHECKED_BYTES", 3 * 8 * 4)  # three blocks of seven: 0, 3 and 6
    check_pixels(cache.folder, cache.images)
    header = len(layout_of(np.uint8, N, SIZE).header)
    flip(cache.folder / "images.npy", header + 4 * 10, keep_time=True)
    check_pixels(cache.folder, cache.images)
    os.utime(cache.folder / "images.npy")
    with pytest.raises(ArtefactError, match="damaged in images 8 to 15"):
        check_pixels(cache.folder, cache.images)


def test_checksums_that_are_missing_are_damage(root):
    cache = build(root)
    facts = json.loads((cache.folder / "cache.json").read_text())
    for changed in ({"block_checksums": None}, {"block_checksums": [1]}, {"block_images": 3}):
        (cache.folder / "cache.json").write_text(json.dumps({**facts, **changed}))
        with pytest.raises(ArtefactError, match="damaged in images 0 to 49"):
            check_pixels(cache.folder, cache.images)


def test_gathered_images_are_those_of_the_map(root):
    cache = build(root)
    rows = np.array([3, 3, 49, 0])
    gathered = cache.gather(rows)
    np.testing.assert_array_equal(gathered, cache.images[rows])
    gathered[:] = 0  # an array of its own
    assert cache.gather(np.array([], dtype=np.int64)).shape == (0, *SIZE)
    os.truncate(cache.folder / "images.npy", 140)
    with pytest.raises(ArtefactError, match="cut short while it was in use"):
        cache.gather(rows)


def test_a_disk_that_fails_is_an_error_that_names_the_file(root, monkeypatch):
    cache = build(root)

    def fails(*_args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fails)
    with pytest.raises(StorageError, match=r"images\.npy: it cannot be read \(Input/output error\)"):
        cache.gather(np.array([0]))


_BUILD = """
import sys
from pathlib import Path
from ensemble.data import cache_blocks
from ensemble.data.cache import build_cache
cache_blocks._BLOCK_IMAGES = 8
def tell(done, total):
    print(done, flush=True)
    sys.stdin.readline()
root = Path(sys.argv[1])
build_cache(root.parent / "cache", root, sorted(p.name for p in root.iterdir()), image_size=(2, 2), progress=tell)
"""


def test_kill_9_frees_the_lock_and_keeps_what_was_done(root, monkeypatch):
    command = [sys.executable, "-c", _BUILD, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "8\n"
        process.send_signal(signal.SIGKILL)
    seen, started = decoded(monkeypatch), time.monotonic()
    assert_whole(build(root))
    assert set(seen) >= set(FILES[8:])
    assert FILES[1] not in seen
    assert time.monotonic() - started < 30
