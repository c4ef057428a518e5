import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.errors import ArtefactError, StorageError
from ensemble.files import (
    append_line,
    atomic_write,
    locked,
    read_json,
    remove_leftovers,
    sha256_of_bytes,
    sha256_of_file,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(
            StorageError, match=r"a\.txt: it cannot be written \(File too large\)\. What was there before"
        ):
            write_text(path, "x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_line_is_appended_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append_line(path, "first")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(StorageError, match=r"train\.log: it cannot be written \(No space left on device\)"):
            append_line(path, "the second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    append_line(path, "third")
    assert path.read_text() == "first\nthird\n"


def test_a_place_that_cannot_be_written_to_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="b: it cannot be written"):
        write_text(tmp_path / "file" / "b", "")
    with pytest.raises(StorageError, match=r"\.lock: it cannot be written"), locked(tmp_path / "file" / ".lock"):
        pass


def test_a_lock_knows_when_its_file_is_gone_or_another(tmp_path: Path) -> None:
    path = tmp_path / "fold_0" / ".lock"
    with locked(path) as lock:
        lock.check()
        path.unlink()
        with pytest.raises(StorageError, match="fold_0 was removed or replaced while this process worked there"):
            lock.check()
        path.touch()
        with pytest.raises(StorageError, match="removed or replaced"):
            lock.check()


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    for name in (".a.json.0123.tmp", "a.json", ".lock"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "b.json", ".json")
    assert len(list(tmp_path.iterdir())) == 3
    remove_leftovers(tmp_path, "b.json", "a.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.json"]
    (tmp_path / ".any.0123.tmp").touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.json"]
    remove_leftovers(tmp_path / "missing")


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x\r\ny\n")
    assert (tmp_path / "a").read_bytes() == b"x\r\ny\n"


def test_json_round_trip_keeps_floats_exactly(tmp_path: Path) -> None:
    content = {"threshold": 0.1 + 0.2, "tiny": 5e-324}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is missing"),
        ("{", "cannot be read.*Put an undamaged copy back"),
        ("[1]", "expected a JSON object, got list.*Put an undamaged copy back"),
    ],
)
def test_read_json_errors(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ArtefactError, match=message):
        read_json(path)


def test_hashes_agree(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == sha256_of_bytes(b"abc")


_TRY = """
import sys
from pathlib import Path
from ensemble.errors import ArtefactError
from ensemble.files import locked
try:
    with locked(Path(sys.argv[1])):
        print("got it")
except ArtefactError as error:
    print(error)
"""


def test_a_second_process_is_refused_and_then_let_in(tmp_path: Path) -> None:
    def ask() -> str:
        return subprocess.run(
            [sys.executable, "-c", _TRY, str(tmp_path / ".lock")], capture_output=True, text=True, check=True
        ).stdout

    with locked(tmp_path / ".lock"):
        assert "is in use by another process" in ask()
    assert ask() == "got it\n"


_WAIT = """
import fcntl, sys
from pathlib import Path
from ensemble.files import locked
lock = fcntl.lockf
def told(*args):
    print("waits", flush=True)
    lock(*args)
fcntl.lockf = told
with locked(Path(sys.argv[1]), wait=True) as held:
    held.check()
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_who_waited_for_a_folder_that_was_removed_holds_a_lock_that_others_meet(tmp_path: Path) -> None:
    path = tmp_path / "trial_0" / ".lock"
    command = [sys.executable, "-c", _WAIT, str(path)]
    with locked(path):
        other = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout is not None
        assert other.stdout.readline() == "waits\n"  # it has opened the file
        shutil.rmtree(path.parent)
    with other:
        assert other.stdout.readline() == "waits\n"  # and now the new one
        assert other.stdout.readline() == "holds\n"
        with pytest.raises(ArtefactError, match="in use by another process"), locked(path):
            pass
        other.communicate()
    assert other.returncode == 0


def test_pipes_and_brackets_without_end_are_refused_not_waited_for(tmp_path: Path) -> None:
    pipe, deep = tmp_path / "pipe.json", tmp_path / "deep.json"
    os.mkfifo(pipe)
    deep.write_text("[" * 100_000)
    for read in (read_json, sha256_of_file):
        with pytest.raises(ArtefactError, match="expected a file, got a pipe or device"):
            read(pipe)
    with pytest.raises(ArtefactError, match="expected a JSON file, but it cannot be read"):
        read_json(deep)
    deep.write_text('{"threshold": NaN}')
    with pytest.raises(ArtefactError, match="NaN is no number of JSON"):
        read_json(deep)
