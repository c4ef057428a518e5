import re
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.demo import main


def test_the_command_says_what_it_wrote_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "phantoms"
    assert main([str(folder), "--images", "80"]) == 0
    said = capsys.readouterr().out
    assert "drew 64 of 120 images" in said
    assert "80 train, 20 val and 20 test images of 64 x 64 pixels" in said
    assert re.search(r"macro-F1 of the best possible rule: 0\.\d{4} on train, 0\.\d{4} on val", said)
    assert said.endswith(f"python -m ensemble.blend --data {folder}\n")
    assert len(list((folder / "images").glob("*.png"))) == 120


def test_the_same_command_again_keeps_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "phantoms"), "--images", "8"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(arguments) == 0
    assert "holds this dataset already and was kept" in capsys.readouterr().out


def test_a_folder_in_the_way_is_named_when_it_was_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "phantoms").mkdir()
    (tmp_path / "phantoms" / "notes.txt").write_text("mine")
    assert main([str(tmp_path / "phantoms"), "--images", "8", "--overwrite"]) == 0
    assert "held before is now in" in capsys.readouterr().out
    assert (tmp_path / "phantoms.before-1" / "notes.txt").read_text() == "mine"


def test_nothing_to_do_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "expected a folder to make, for example data/demo, or --sheet FILE.png" in capsys.readouterr().err


def test_a_sheet_alone_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sheet", str(tmp_path / "sheet.png")]) == 0
    assert "contact sheet:" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").stat().st_size < 200_000


def test_a_picture_that_is_there_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.png").write_text("mine")
    assert main(["--sheet", str(tmp_path / "mine.png")]) == 0
    assert "is there already and was kept; --overwrite replaces it" in capsys.readouterr().out
    assert (tmp_path / "mine.png").read_text() == "mine"


def test_bad_input_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ensemble.demo", str(tmp_path / "phantoms"), "--images", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = "error: --images: expected 4 to 1,000,000 training images, got 3"
    assert (done.returncode, done.stderr.strip()) == (2, said)


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--seed", "-1", "expected a whole number of at least 0, got '-1'"),
        ("--workers", "0", "expected a whole number of at least 1, got '0'"),
    ],
)
def test_unfit_numbers_are_refused_as_by_every_command(
    flag: str, value: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "phantoms"), flag, value])
    assert f"{flag}: {said}" in capsys.readouterr().err
    assert not (tmp_path / "phantoms").exists()


def test_help_needs_neither_torch_nor_opencv() -> None:
    code = "import sys, ensemble.demo; print(sorted({'torch', 'cv2', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
