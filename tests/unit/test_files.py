import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.errors import ArtefactError
from ensemble.files import atomic_write, locked, read_json, sha256_of_bytes, sha256_of_file, write_json, write_text


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
