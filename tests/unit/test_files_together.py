"""Files that get their names together, and what killed writers left of them."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ensemble import files_together
from ensemble.files import atomic_write, storage_errors, write_text
from ensemble.files_together import sync_disk, where_written, without_leftovers, written_together
from ensemble.stopping import stop_signals


def test_files_that_belong_together_are_all_new_or_all_as_they_were(tmp_path: Path) -> None:
    table, summary, stale = (tmp_path / name for name in ("table", "summary", "stale"))
    for path in (table, summary, stale):
        write_text(path, "old")

    def write(*, fails: bool) -> None:
        with written_together(removed=[summary, stale]):
            write_text(table, "new")
            assert where_written(table).read_text() == "new"
            assert table.read_text() == "old"
            with written_together(removed=[tmp_path / "none"]):
                write_text(tmp_path / "deep" / "page", "new")
            if fails:
                raise RuntimeError
            write_text(summary, "new")

    with pytest.raises(RuntimeError):
        write(fails=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == dict.fromkeys(
        ("table", "summary", "stale"), "old"
    )
    assert not list((tmp_path / "deep").iterdir())
    write(fails=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "page", "summary", "table"]
    assert table.read_text() == summary.read_text() == "new"
    assert where_written(table) == table


def write_both(folder: Path) -> None:
    with written_together(removed=[folder / "summary"]):
        for name in ("table", "summary"):
            write_text(folder / name, "new")


def test_a_request_while_names_are_given_is_answered_when_all_have_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("table", "summary"):
        write_text(tmp_path / name, "old")

    def asked(path: Path) -> AbstractContextManager[None]:
        os.kill(os.getpid(), signal.SIGTERM)
        return storage_errors(path)

    monkeypatch.setattr(files_together, "storage_errors", asked)
    with stop_signals(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        write_both(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table": "new", "summary": "new"}


def test_another_thread_gives_names_too(tmp_path: Path) -> None:
    thread = threading.Thread(target=write_both, args=(tmp_path,))
    thread.start()
    thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["summary", "table"]


def test_what_a_killed_writer_left_of_these_files_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".out[1].csv.0123abc.tmp"
    names = (".other.csv.0123.tmp", ".out[1].csv.more.csv.0123.tmp", "out[1].csv", "x.tmp")
    others = [tmp_path / name for name in names]
    for path in (left, *others):
        path.touch()
        os.utime(path, (0, 0))
    with without_leftovers(tmp_path / "out[1].csv", tmp_path / "out[1].json"):
        assert sorted(tmp_path.iterdir()) == sorted(others)


def test_what_somebody_writes_on_another_machine_stays(tmp_path: Path) -> None:
    begun = tmp_path / ".out.csv.0123abc.tmp"
    begun.touch()
    with without_leftovers(tmp_path / "out.csv"):
        assert begun.exists()


def test_what_is_written_is_synced_and_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    write_text(tmp_path / "table", "new")
    sync_disk(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_disk(tmp_path / "gone")


def test_what_a_living_writer_has_begun_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.csv"
    with without_leftovers(path), atomic_write(path) as stream, without_leftovers(path):
        assert Path(stream.name).exists()
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_somebody_else_has_locked_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by ``flock FOLDER python -m ensemble.predict ...``."""
    monkeypatch.setattr(files_together, "_TRY_SECONDS", 0.001)
    left = tmp_path / ".out.csv.0123.tmp"
    left.touch()
    os.utime(left, (0, 0))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with without_leftovers(tmp_path / "out.csv"):
            assert left.exists()
    finally:
        os.close(descriptor)
    with without_leftovers(tmp_path / "out.csv"):
        assert not left.exists()
