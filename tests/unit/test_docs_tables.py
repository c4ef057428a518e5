"""The example of docs/tables.md is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ensemble import blend

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    example = PAGE.partition("## An example")[2]
    found = re.search(r"```python\n(.*?)```", example, re.DOTALL)
    assert found is not None
    exec(compile(found[1], "docs/tables.md", "exec"), {})  # noqa: S102 - our own page
    command = re.search(r"python -m ensemble.blend (--oof .*)", example)
    assert command is not None
    assert blend.main(command[1].split()) == 0
    summary = json.loads(Path("blended/blend.json").read_text())
    assert sorted(summary["members"]) == ["convnext", "resnet"]
    score, printed = f"{summary['scores']['cross_fitted']:.4f}", capsys.readouterr().out
    assert score in printed
    shown = re.search(r"```text\n(.*?)\n\n", example, re.DOTALL)
    assert shown is not None
    assert printed.startswith(shown[1])
    assert Path("blended/submission.csv").read_text().startswith("id,edema,effusion,nodule\n0300,")
