"""Names that were made to run in a page, or to command a terminal, from a table to the blend's page."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ensemble import blend

CLASSES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "[bold]x[/bold] \x1b[2J",
    "javascript:alert(3)",
)
MEMBERS = ("a<script>alert(4)<", "b [link=x]&")
LOADING = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "audio", "video"}


class Page(HTMLParser):
    """What a browser makes of it: elements, and the attributes that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.doing: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        links = ("href", "src", "srcset", "action", "xlink:href", "http-equiv")
        self.doing += [(name, value) for name, value in attrs if name in links or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def write_rows(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def test_nothing_runs_and_nothing_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    ids = [f"r{number}&<b>\"'" for number in range(60)]
    labels = draw.integers(0, 2, (60, len(CLASSES)))
    header: list[object] = ["id", *CLASSES]
    write_rows(tmp_path / "labels.csv", [header, *([one, *row] for one, row in zip(ids, labels.tolist(), strict=True))])
    (tmp_path / "oof").mkdir()
    for member in MEMBERS:
        values = np.clip(0.3 + 0.4 * labels + draw.uniform(-0.3, 0.3, labels.shape), 0.01, 0.99).tolist()
        rows = [header, *([one, *row] for one, row in zip(ids, values, strict=True))]
        write_rows(tmp_path / "oof" / f"{member}.csv", rows)
    words = ["--oof", str(tmp_path / "oof"), "--labels", str(tmp_path / "labels.csv"), "--out", str(tmp_path / "out")]
    assert blend.main([*words, "--thresholds", "exact", "--combine", "mean"]) == 0

    said = capsys.readouterr().out
    assert "\x1b" not in said
    for name in (*MEMBERS, "[bold]x[/bold] \\x1b[2J", "<script>alert(1)"):
        assert "".join(name.split()) in "".join(said.split())

    page = Page()
    page.feed((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert not page.elements & LOADING
    assert {"svg", "table", "style"} <= page.elements
    inside = ("#", "data:image/png;base64,")  # places of the page, and pictures that it holds
    outside = [(name, value) for name, value in page.doing if not (value or "").startswith(inside)]
    assert outside == []
    assert {name for name, _ in page.doing} <= {"href", "xlink:href"}
    for name in (*MEMBERS, CLASSES[0], CLASSES[3]):
        assert name in page.text
