"""docs/api.md lists what is public, and nothing else."""

import importlib
import re
from pathlib import Path

import pytest

PACKAGES = ("thresholds", "folds", "evaluation", "blending", "models")
TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_lists_what_is_public(package: str) -> None:
    module = importlib.import_module(f"ensemble.{package}")
    section = TEXT.split(f"## `ensemble.{package}`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name)


def test_no_other_package_is_listed() -> None:
    assert re.findall(r"^## `ensemble\.(\w+)`", TEXT, re.MULTILINE) == list(PACKAGES)
