"""The wrong inputs of ``benchmarks/bad_inputs.py`` that are refused before anything is computed, in this process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from ensemble.errors import EnsembleError

ROOT = Path(__file__).parents[2]
SLOW = ("images", "hostile")
MODULES = ("tables", "ids_and_templates", "artefacts", "images", "hostile")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setenv("COLUMNS", "400")


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize("module", MODULES)
def test_what_is_wrong_is_said_and_what_is_unusual_is_read(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = importlib.import_module(f"bad_inputs_cases.{module}").CASES
    wrong = []
    for number, case in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        command, *args = case.make(folder)
        if module in SLOW and (
            (case.exit_code == 0 and "--check" not in args) or (command, module) == ("train", "images")
        ):
            continue  # a page of figures, or a training, for each
        monkeypatch.chdir(folder)
        capsys.readouterr()
        try:
            exit_code, said = importlib.import_module(f"ensemble.{command}").main(args), ""
        except EnsembleError as error:
            exit_code, said = error.exit_code, str(error)
        said = "".join(f"{said}{capsys.readouterr().out}".split())
        if exit_code != case.exit_code or "".join(case.expect.split()) not in said:
            wrong.append((case.name, exit_code, said[:500]))
    assert not wrong
    assert not (tmp_path / "outside" / "RAN").exists()
    assert len({case.name for case in cases}) == len(cases)


@pytest.mark.usefixtures("benchmarks")
def test_the_command_tells_what_passed_and_what_did_not(tmp_path: Path) -> None:
    bad_inputs = importlib.import_module("bad_inputs")

    def make(folder: Path) -> list[str]:
        (folder / "recipe.yaml").write_text("model: cnn2\n")
        return ["blend", "--oof", "nowhere", "--labels", "labels.csv", "--out", "out"]

    passed = bad_inputs.try_case(bad_inputs.Case("gone", make, "labels.csv"), limit=60)
    assert (passed.faults, passed.exit_code) == ((), 2)
    failed = bad_inputs.try_case(bad_inputs.Case("gone", make, "all is well", 0), limit=60)
    assert failed.faults == ("exit code 2", "does not say 'all is well'")
    hanging = bad_inputs.try_case(bad_inputs.Case("gone", make, ""), limit=0.001)
    assert hanging.faults == ("hangs",)
    assert bad_inputs.summary_of([passed, failed, hanging]).startswith("1 of 3 cases passed; 0 tracebacks, 1 hangs")
    assert "| gone | `blend --oof nowhere" in bad_inputs.table_of([passed])
    assert sys.path[0] == str(ROOT / "benchmarks")
