"""Every flag that the README and docs/ give to a command is one that the command has."""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"python -m ensemble\.(\w+)((?:\\\n|\n +\[|[^`\n#])*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def told() -> dict[str, dict[str, set[str]]]:
    """Command to flags, each with the pages that give it."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for command, rest in COMMAND.findall(page.read_text(encoding="utf-8")):
            for flag in FLAG.findall(rest):
                found[command][flag].add(page.name)
    return found


TOLD = told()


def test_commands_are_found() -> None:
    assert set(TOLD) >= {"train", "blend", "run", "tune", "predict", "explore"}
    assert {"--oof", "--labels", "--test", "--groups", "--trials", "--out"} <= set(TOLD["blend"])


@pytest.mark.parametrize("command", sorted(TOLD))
def test_flags_are_known(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"ensemble.{command}").main(["--help"])
    known = set(FLAG.findall(capsys.readouterr().out))
    assert {flag: pages for flag, pages in TOLD[command].items() if flag not in known} == {}
