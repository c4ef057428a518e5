"""The example of docs/sklearn.md is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "sklearn.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d\.\d+")


def test_the_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", PAGE, re.DOTALL).groups()  # type: ignore[union-attr]
    exec(compile(code, "docs/sklearn.md", "exec"), {})  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert NUMBER.sub("x", printed).split() == NUMBER.sub("x", told).split()
    numbers = [[float(found) for found in NUMBER.findall(text)] for text in (printed, told)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.05)  # another release of scikit-learn may grow other trees
