"""What a command imports before it has something to do; how long it takes is measured by benchmarks/startup.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

_IS_COMMAND = re.compile(r"run_command\(main[,)]")
ROOT = Path(__file__).parents[2]
_RUN = """
import json, runpy, sys
before = set(sys.modules)
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print("\\n" + json.dumps([code, sorted(tops - set(sys.stdlib_module_names) - {"ensemble", "__mp_main__"})]))
"""


def imported_by(*words: str) -> tuple[int, list[str]]:
    """The exit code, and which modules of other distributions were imported."""
    ran = subprocess.run([sys.executable, "-c", _RUN, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    code, names = json.loads(ran.stdout.splitlines()[-1])
    return code, names


def commands() -> list[str]:
    files = sorted((ROOT / "ensemble").glob("*.py"))
    return [f"ensemble.{file.stem}" for file in files if _IS_COMMAND.search(file.read_text(encoding="utf-8"))]


def test_all_commands_are_found() -> None:
    names = ("blend", "compare", "demo", "explore", "predict", "run", "train", "tune")
    assert set(commands()) == {f"ensemble.{name}" for name in names}


@pytest.mark.parametrize("command", commands())
def test_help_imports_nothing_but_the_standard_library(command: str) -> None:
    assert imported_by(command, "--help") == (0, [])


@pytest.mark.parametrize(
    "words", [["ensemble.train", "--list"], ["ensemble.train"], ["ensemble.blend", "--no-such-flag"]], ids=" ".join
)
def test_what_needs_no_data_needs_no_library(words: list[str]) -> None:
    assert imported_by(*words)[1] == []


@pytest.mark.parametrize("recipe", ["model: {nam: cnn2}", "model: {name: cnn2}\ndata: {path: nowhere}"])
def test_what_torch_is_not_asked_about_is_refused_without_it(recipe: str, tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(f"{recipe}\n", encoding="utf-8")
    code, names = imported_by("ensemble.train", str(file), "--fold", "0")
    assert code == 2
    assert "pydantic" in names
    assert not {"torch", "timm", "cv2", "albumentations", "sklearn", "pandas", "matplotlib"} & set(names)
