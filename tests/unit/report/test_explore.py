from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ensemble.findings import (
    Association,
    Combination,
    Division,
    Findings,
    Gallery,
    GroupFacts,
    Picture,
    Repeats,
    SplitFacts,
    Trap,
)
from ensemble.report.explore_page import is_page, write_page
from ensemble.report.explore_terminal import print_findings
from ensemble.report.html import render

EVIL = "<script>alert(1)</script>"
PICTURE = Picture(EVIL, "train, fold 1", b"\x89PNG", 40, 36)


def split(name: str, n_images: int, n_classes: int, *, labelled: bool = True) -> SplitFacts:
    return SplitFacts(
        name=name,
        sizes=np.stack([np.full(n_images, 40), 30 + np.arange(n_images) % 7], axis=1),
        modes={"grey, 8 bits": n_images},
        formats={"PNG": n_images},
        intensity=np.full(64, 1 / 64),
        positives=np.full(n_classes, n_images // 4) if labelled else None,
        unlabelled=np.zeros(n_classes, dtype=np.int64) if labelled else None,
        labels_per_image=(n_images // 2, n_images // 2) if labelled else None,
    )


def findings(n_classes: int = 3, **changes: object) -> Findings:
    names = (EVIL, "[bold]", *(f"class{number}" for number in range(2, n_classes)))[:n_classes]
    together = np.full((n_classes, n_classes), 2) + np.eye(n_classes, dtype=np.int64) * 10
    facts: dict[str, object] = {
        "dataset": "toy",
        "class_names": names,
        "splits": (
            split("train", 40, n_classes),
            split("holdout", 12, n_classes),
            split("test", 8, n_classes, labelled=False),
        ),
        "together": together,
        "alone": np.full(n_classes, 4),
        "combinations": (Combination((), (), {"train": 20, "holdout": 6}), Combination((EVIL,), (), {"train": 20})),
        "class_intensity": np.full((n_classes, 2, 64), 1 / 64),
        "groups": GroupFacts({EVIL: 30, "g1": 10}, np.full(n_classes, 2)),
        "groups_source": "groups.csv",
        "division": Division(
            "the 2 folds that training would make",
            np.array([20, 20]),
            np.array([1, 1]),
            np.full((2, n_classes), 5),
            np.full((2, n_classes), 20),
        ),
        "repeats": Repeats(60, 0, 0, 1, 2, {"across splits": 3}),
        "associations": (Association("mode", EVIL, EVIL, 0.7, 0.4, 0.9, 0.1, 12, 1e-5, strong=True),),
        "n_tests": 6,
        "traps": (Trap("leak", "groups across splits", f"group {EVIL}", (PICTURE,)), Trap("note", "no groups", "none")),
        "by_class": (Gallery(EVIL, 10, (PICTURE,)), Gallery("none", 0, ())),
        "by_combination": (Gallery("no finding", 20, (PICTURE,)),),
        "limits": ("Pictures are chosen at random.",),
    }
    return Findings(**{**facts, **changes})  # type: ignore[arg-type]


def page(folder: Path, content: Findings) -> str:
    write_page(folder / "a.html", content)
    return (folder / "a.html").read_text()


def printed(content: Findings, width: int = 80) -> str:
    stream = io.StringIO()
    print_findings(content, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page, drawn once."""
    return page(tmp_path_factory.mktemp("page"), findings())


def test_the_page_holds_everything_itself(text: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) > 10
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)
    assert "<script" not in text


def test_names_and_ids_are_escaped_everywhere(text: str) -> None:
    assert EVIL not in text
    assert text.count("&lt;script&gt;") > 10


def test_traps_come_first_and_the_gravest_of_them(text: str) -> None:
    assert text.index("leak: groups across splits") < text.index("note: no groups") < text.index('id="labels"')


def test_few_classes_get_numbers_and_panels(text: str) -> None:
    assert "Too many classes" not in text
    assert "Shown: 12 of" not in text


def test_many_classes_get_a_page_that_says_what_it_leaves_out(tmp_path: Path) -> None:
    text = page(tmp_path, findings(71))
    assert "Too many classes for numbers" in text
    assert "Shown: 12 of 71 classes, those where the curves differ most." in text
    assert is_page(tmp_path / "a.html")


def test_small_pictures_are_pixelated_and_large_ones_are_not() -> None:
    for height, times in ((40, 1), (112, 0)):
        gallery = Gallery("one", 5, (replace(PICTURE, height=height),))
        assert render("explore_gallery.html.j2", galleries=[gallery], note="").count('class="small"') == times


def test_without_folds_groups_or_holdout(tmp_path: Path) -> None:
    bare = findings(
        division=None,
        groups=None,
        groups_source="no groups: every image counted as independent",
        splits=(split("train", 40, 3),),
        traps=(),
        associations=(),
        n_tests=0,
    )
    text = page(tmp_path, bare)
    assert "There are no folds to show" in text
    assert "None found." in text
    assert "the files are alike" in text
    plain = printed(bare)
    assert "no trap found" in plain
    assert "holdout" not in plain


def test_what_is_not_labelled_is_counted() -> None:
    sparse = replace(split("train", 40, 3), unlabelled=np.array([0, 7, 40]), positives=np.array([10, 3, 0]))
    text = printed(findings(splits=(sparse,)))
    assert "not labelled" in text
    assert "9.1%" in text  # 3 of the 33 that are
    assert "–" in text


def test_a_pipe_gets_no_padding_and_names_are_text() -> None:
    text = printed(findings())
    assert all(line == line.rstrip() for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 80
    assert "[bold]" in text
    assert EVIL in text
    assert "leak" in text
    assert "…" not in text


def test_a_wide_name_loses_no_letter() -> None:
    text = printed(findings(traps=(Trap("note", "missing labels", "日本 " * 60 + "with 5 folds"),)))
    assert "…" not in text
    assert "5 folds" in text


def test_a_combination_of_many_classes_is_counted() -> None:
    many = Combination(tuple("abcdefgh"), tuple("xyz"), {})
    assert many.title == "a + b + c + d + e + f + 2 more (not labelled: 3 classes)"
    assert Combination((), ("x",), {}).title == "no finding (not labelled: x)"
