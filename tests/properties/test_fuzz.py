"""A short run of benchmarks/fuzz.py, always with the same inputs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

CASES = {"labels": 25, "recipes": 40, "tables": 60, "images": 100}


@pytest.mark.parametrize("name", CASES)
def test_every_input_is_read_right_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("fuzz")
    assert set(CASES) == set(module.SUBJECTS)
    counts = module.fuzz(name, CASES[name], tmp_path)
    assert counts[module.READ]
    assert counts[module.REFUSED]
    assert sum(counts.values()) >= CASES[name]


def test_what_goes_wrong_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("fuzz")
    monkeypatch.setattr(
        importlib.import_module("fuzz_subjects"), "read_grey", lambda _path: pytest.fail("not an error of ours")
    )
    with pytest.raises(pytest.fail.Exception):
        module.fuzz("images", 20, tmp_path)
