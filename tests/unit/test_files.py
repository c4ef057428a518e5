import multiprocessing
from pathlib import Path

import pytest

from ensemble.errors import ArtefactError
from ensemble.files import atomic_write, locked, read_json, sha256_of_bytes, sha256_of_file, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_write(path) as stream:
        stream.write(b"half of the n")
        raise RuntimeError
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
    ("text", "message"), [(None, "is missing"), ("{", "cannot be read"), ("[1]", "expected a JSON object, got list")]
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


def _try_lock(path: Path, answers: "multiprocessing.Queue[str]") -> None:
    try:
        with locked(path):
            answers.put("got it")
    except ArtefactError as error:
        answers.put(str(error))


def test_a_second_process_is_refused_and_then_let_in(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()

    def ask() -> str:
        process = context.Process(target=_try_lock, args=(tmp_path / ".lock", answers))
        process.start()
        answer: str = answers.get(timeout=60)
        process.join()
        return answer

    with locked(tmp_path / ".lock"):
        assert "is in use by another process" in ask()
    assert ask() == "got it"
