"""A dataset's page: figures, tables, examples, and the traps first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ensemble.findings import Findings
from ensemble.report import explore_figures as figures
from ensemble.report.explore_tables import (
    alike_table,
    association_table,
    class_table,
    combination_table,
    fold_table,
    group_table,
    groups_text,
    kind_table,
    lead,
    left_out,
    per_image_table,
    size_table,
)
from ensemble.report.html import Section, is_html_of, render, write_html

if TYPE_CHECKING:
    from markupsafe import Markup

KIND = "explore"


def write_page(path: Path, findings: Findings) -> None:
    """Write the page, whole or not at all."""
    write_html(
        path,
        kind=KIND,
        title=f"What is in {findings.dataset}",
        lead=lead(findings),
        sections=list(_sections(findings)),
    )


def is_page(path: Path) -> bool:
    """Whether the file is a page of this kind."""
    return is_html_of(KIND, path)


def _sections(findings: Findings) -> Iterator[Section]:
    yield Section("traps", "Traps", render("explore_traps.html.j2", traps=findings.traps))
    yield Section("labels", "Labels", _labels(findings))
    yield Section("together", "Classes together", _together(findings))
    yield Section("folds", "Folds and groups", _folds(findings))
    yield Section("images", "Sizes, kinds of files, grey values", _images(findings))
    yield Section("files", "Files and labels", _files(findings))
    yield Section("alike", "Images that are alike", render("explore_alike.html.j2", table=alike_table(findings)))
    yield Section(
        "classes", "Examples of each class", render("explore_gallery.html.j2", galleries=findings.by_class, note="")
    )
    title = "Examples of each combination"
    shown = findings.by_combination
    note = left_out(len(shown), len(findings.combinations), "combinations")
    yield Section("combinations", title, render("explore_gallery.html.j2", galleries=shown, note=note))
    yield Section("limits", "What stands behind the numbers", render("explore_limits.html.j2", limits=findings.limits))


def _labels(findings: Findings) -> Markup:
    return render(
        "explore_labels.html.j2",
        classes=class_table(findings),
        rates=figures.class_rates(findings),
        per_image=per_image_table(findings),
        per_image_figure=figures.labels_per_image(findings),
    )


def _together(findings: Findings) -> Markup:
    return render(
        "explore_together.html.j2",
        matrix=figures.co_occurrence(findings),
        companions=figures.companions(findings),
        numbers=len(findings.class_names) <= figures.MOST_NUMBERS,
        combinations=combination_table(findings),
    )


def _folds(findings: Findings) -> Markup:
    division, groups = findings.division, findings.groups
    return render(
        "explore_folds.html.j2",
        source=None if division is None else division.source,
        folds=None if division is None else fold_table(findings, shares=True),
        rates=None if division is None else figures.fold_rates(findings, division),
        groups=groups_text(findings),
        group_table=None if groups is None else group_table(findings),
        group_figure=None if groups is None else figures.group_sizes(groups),
    )


def _images(findings: Findings) -> Markup:
    by_class, n_shown = figures.intensity_by_class(findings)
    n_sizes = len(np.unique(np.concatenate([split.sizes for split in findings.splits]), axis=0))
    return render(
        "explore_images.html.j2",
        sizes=size_table(findings),
        size_figure=figures.size_figure(findings) if n_sizes > 1 else None,
        modes=kind_table(findings.splits, "kind of pixels", [split.modes for split in findings.splits]),
        formats=kind_table(findings.splits, "file format", [split.formats for split in findings.splits]),
        intensity=figures.intensity_figure(findings),
        by_class=by_class,
        by_class_note=left_out(n_shown, len(findings.class_names), "classes, those where the curves differ most"),
    )


def _files(findings: Findings) -> Markup:
    table = association_table(findings)
    return render("explore_files.html.j2", table=table, n_tests=findings.n_tests)
