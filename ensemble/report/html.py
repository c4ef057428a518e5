"""One self-contained HTML page: skeleton, style, figures and pictures inside. Nothing is loaded from anywhere.

A page is a list of ``Section``; what a section holds is filled in by a template of its own. Values are escaped unless
they are ``Markup``, which only this module and :mod:`ensemble.report.figures` make.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ensemble.files import write_text

GENERATOR = "timm-ensemble"


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        anchor: Its id in the page: letters and hyphens.
        title: For people.
        body: HTML.
    """

    anchor: str
    title: str
    body: Markup


@dataclass(frozen=True)
class HtmlTable:
    """A table of texts and numbers that are texts already.

    Attributes:
        header: Column titles; the first ``n_text`` columns are left-aligned, all others are numbers.
        rows: As many cells each as the header.
        n_text: How many columns hold words.
        note: Below the table, e.g. what was left out.
        strong: Numbers of rows that stand out.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    n_text: int = 1
    note: str = ""
    strong: Collection[int] = ()


def render(template: str, **values: object) -> Markup:
    """Fill in a template of ``ensemble/report/templates``; values are escaped."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - the template has escaped


def write_html(path: Path, *, kind: str, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write a page, whole or not at all.

    Args:
        path: The file.
        kind: Which command made it; ``is_html_of`` recognises it.
        title: The heading.
        lead: A sentence below it.
        sections: In their order, listed in the contents.
    """
    page = render("page.html.j2", generator=GENERATOR, kind=kind, title=title, lead=lead, sections=sections)
    write_text(path, f"{page}\n")


def is_html_of(kind: str, path: Path) -> bool:
    """Whether ``path`` is a page that ``write_html`` made as ``kind``."""
    with path.open("rb") as stream:
        return _mark(kind).encode() in stream.read(2000)


def _mark(kind: str) -> str:
    return f'<meta name="generator" content="{GENERATOR} {kind}">'


def inline_svg(svg: str, *, label: str) -> Markup:
    """A figure for a page: no XML head, no comments, no ids but those that are referred to, ink that follows the page.

    Args:
        svg: As matplotlib writes it, with :data:`INK` where the page's text colour belongs.
        label: Read aloud to those who do not see it.
    """
    start = svg.index("<svg")
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text).replace(INK, "currentColor")
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    width = re.search(r'viewBox="0 0 ([0-9.]+)', head)
    size = f' style="max-width:{float(width[1]):.0f}pt"' if width else ""
    return Markup(f'{head} role="img" aria-label="{escape(label)}"{size}>{rest.strip()}')  # noqa: S704 - ours


INK = "#010203"
"""Stands for the page's text colour in figures."""


def data_uri(png: bytes) -> str:
    """A PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def percent(value: float, digits: int = 1) -> str:
    """``0.1234`` as ``12.3%``; a dash where there is no number."""
    return "–" if math.isnan(value) else f"{value:.{digits}%}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ensemble.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    return environment
