"""Every bad input of benchmarks/bad_inputs_cases whose command needs no training, in this process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from ensemble.errors import EnsembleError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from bad_inputs_cases import all_cases
from bad_inputs_cases.case import Case, Outcome, try_case

CASES = [case for cases in all_cases().values() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_is_refused_or_read_right(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(args: list[str], folder: Path) -> Outcome:
        monkeypatch.chdir(folder)
        try:
            code = importlib.import_module(args[0]).main(args[1:])
        except EnsembleError as error:
            sys.stderr.write(f"error: {error}\n")
            code = error.exit_code
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        said = capfd.readouterr()
        return Outcome(code, said.out + said.err)

    outcome, fault = try_case(case, tmp_path, run)
    assert not fault, outcome
