from pathlib import Path

import pytest
from markupsafe import Markup

from ensemble.report.figures import draw, short
from ensemble.report.html import HtmlTable, Section, inline_svg, is_html_of, percent, render, write_html

EVIL = "<script>alert(1)</script>"


def figure(label: str = "a figure", name: str = "one") -> Markup:
    def paint(figure):  # type: ignore[no-untyped-def]
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4])
        axes.set_title(name)

    return draw(paint, size=(3, 2), label=label)


def test_a_page_holds_everything_itself(tmp_path: Path) -> None:
    write_html(
        tmp_path / "a.html",
        kind="test",
        title="Title",
        lead="Lead.",
        sections=[Section("first", "First", figure()), Section("second", "Second", Markup("<p>text</p>"))],
    )
    text = (tmp_path / "a.html").read_text()
    assert text.startswith("<!doctype html>")
    assert '<a href="#second">Second</a>' in text
    assert '<section id="second">' in text
    assert "prefers-color-scheme: dark" in text
    for outside in ('src="http', 'href="http', "url(http", "@import", "<link", "<script"):
        assert outside not in text
    assert is_html_of("test", tmp_path / "a.html")
    assert not is_html_of("other", tmp_path / "a.html")


def test_titles_are_escaped(tmp_path: Path) -> None:
    write_html(tmp_path / "a.html", kind="test", title=EVIL, lead=EVIL, sections=[Section("x", EVIL, Markup(""))])
    text = (tmp_path / "a.html").read_text()
    assert EVIL not in text
    assert text.count("&lt;script&gt;") == 5


def test_table_cells_are_escaped_and_numbers_stand_right() -> None:
    table = HtmlTable(("name", "count"), [(EVIL, "1")], note="left out")
    text = render("explore_alike.html.j2", table=table)
    assert EVIL not in text
    assert '<td class="text">&lt;script&gt;' in text
    assert "<td>1</td>" in text
    assert "left out" in text


def test_a_figure_is_the_same_every_time_and_names_are_text() -> None:
    assert figure() == figure()
    text = figure(name=f"{EVIL} $x^2$ 日本")
    assert EVIL not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x^2$ 日本" in text


def test_a_figure_takes_the_ink_of_the_page_and_brings_no_ids_or_addresses() -> None:
    text = figure()
    assert "currentColor" in text
    assert "#010203" not in text
    assert '<g id="' not in text
    assert "<metadata" not in text
    assert 'aria-label="a figure"' in text
    assert text.startswith("<svg")


def test_labels_of_figures_are_escaped() -> None:
    svg = '<?xml?><svg viewBox="0 0 10 5" width="10pt" height="5pt"><g id="a"/></svg>'
    assert inline_svg(svg, label='"<b>') == (
        '<svg viewBox="0 0 10 5" role="img" aria-label="&#34;&lt;b&gt;" style="max-width:10pt"><g/></svg>'
    )


@pytest.mark.parametrize(("value", "text"), [(0.1234, "12.3%"), (float("nan"), "–"), (1.0, "100.0%")])
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text


def test_long_names_are_shortened() -> None:
    assert short("a" * 26) == "a" * 26
    assert short("a" * 27) == "a" * 25 + "…"
