"""The tables of a dataset's page and of the terminal: facts as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ensemble.findings import Association, Findings, SplitFacts
from ensemble.report.html import HtmlTable, percent

MOST_ROWS = 40
_TOP_GROUPS = 10


def lead(findings: Findings) -> str:
    """One sentence: how many images, classes, groups and traps."""
    counts = ", ".join(f"{len(split):,} {split.name}" for split in findings.splits)
    return f"{counts} images; {len(findings.class_names)} classes; groups: {groups_text(findings)}."


def groups_text(findings: Findings) -> str:
    """How many groups from where."""
    if findings.groups is None:
        return findings.groups_source
    return f"{len(findings.groups.sizes):,} in training, from {findings.groups_source}"


def association_table(findings: Findings) -> HtmlTable:
    """The strongest pairs of file property and class."""
    shown = findings.associations[:MOST_ROWS]
    header = ("property", "value", "class", "AUROC", "Cramér's V", "images", "positive", "others", "p, corrected", "")
    note = left_out(len(shown), len(findings.associations), "pairs of property and class")
    return HtmlTable(header, [_association_row(association) for association in shown], n_text=3, note=note)


def _association_row(association: Association) -> tuple[str, ...]:
    v, n_level = association.cramers_v, association.n_level
    return (
        association.property,
        association.level or "larger",
        association.class_name,
        f"{association.auroc:.3f}",
        "–" if v is None else f"{v:.2f}",
        "–" if n_level is None else f"{n_level:,}",
        "–" if association.rate is None else percent(association.rate),
        "–" if association.other_rate is None else percent(association.other_rate),
        f"{association.p_value:.2g}",
        "◄ warned of" if association.strong else "",
    )


def class_table(findings: Findings) -> HtmlTable:
    """Positives of each class and split, their share, and what is not labelled."""
    labelled = [split for split in findings.splits if split.positives is not None]
    with_missing = [split for split in labelled if split.unlabelled is not None and split.unlabelled.any()]
    groups = ["groups with one"] if findings.groups is not None else []
    header = ["class", *(title for split in labelled for title in (split.name, "share")), *groups]
    header += [f"not labelled, {split.name}" for split in with_missing]
    rows = []
    for number, name in enumerate(findings.class_names):
        cells: list[str] = [name]
        for split in labelled:
            cells += _positives(split, number)
        cells += [] if findings.groups is None else [f"{findings.groups.positives[number]:,}"]
        cells += [f"{split.unlabelled[number]:,}" for split in with_missing if split.unlabelled is not None]
        rows.append(cells)
    return HtmlTable(header, rows)


def _positives(split: SplitFacts, number: int) -> list[str]:
    if split.positives is None or split.unlabelled is None:
        return ["–", "–"]
    labelled = len(split) - int(split.unlabelled[number])
    rate = split.positives[number] / labelled if labelled else float("nan")
    return [f"{split.positives[number]:,}", percent(float(rate))]


def per_image_table(findings: Findings) -> HtmlTable:
    """Images with 0, 1, 2, … labels."""
    labelled = [split for split in findings.splits if split.labels_per_image is not None]
    most = max(len(split.labels_per_image or ()) for split in labelled)
    header = ["labels", *(title for split in labelled for title in (split.name, "share"))]
    rows = []
    for number in range(most):
        cells = [str(number)]
        for split in labelled:
            counts = split.labels_per_image or ()
            count = counts[number] if number < len(counts) else 0
            cells += [f"{count:,}", percent(count / len(split))]
        rows.append(cells)
    return HtmlTable(header, rows)


def combination_table(findings: Findings, most: int = MOST_ROWS) -> HtmlTable:
    """The commonest combinations of labels."""
    splits = [split for split in findings.splits if split.positives is not None]
    shown = findings.combinations[:most]
    rows = [
        [
            combination.title,
            *(
                text
                for split in splits
                for count in [combination.counts.get(split.name, 0)]
                for text in (f"{count:,}", percent(count / len(split)))
            ),
        ]
        for combination in shown
    ]
    header = ["combination", *(title for split in splits for title in (split.name, "share"))]
    return HtmlTable(header, rows, note=left_out(len(shown), len(findings.combinations), "combinations"))


def fold_table(findings: Findings, *, shares: bool) -> HtmlTable:
    """Images, groups and positives of each fold.

    Args:
        findings: With or without folds.
        shares: Behind each number of positives, their share of the labelled images.
    """
    division = findings.division
    if division is None:
        return HtmlTable((), ())
    rows: list[list[str]] = [["images", *(f"{size:,}" for size in division.sizes)]]
    if division.groups is not None:
        rows.append(["groups", *(f"{count:,}" for count in division.groups)])
    rates = division.positives / np.maximum(1, division.labelled)
    for number, name in enumerate(findings.class_names):
        pairs = zip(division.positives[:, number], rates[:, number], strict=True)
        rows.append(
            [name, *(f"{count:,} ({percent(float(rate))})" if shares else f"{count:,}" for count, rate in pairs)]
        )
    return HtmlTable(["", *(f"fold {fold}" for fold in range(len(division.sizes)))], rows)


def group_table(findings: Findings) -> HtmlTable:
    """The largest groups."""
    sizes = {} if findings.groups is None else findings.groups.sizes
    total = sum(sizes.values())
    shown = list(sizes.items())[:_TOP_GROUPS]
    note = left_out(len(shown), len(sizes), "groups, the largest")
    return HtmlTable(
        ["group", "images", "share"], [[name, f"{size:,}", percent(size / total)] for name, size in shown], note=note
    )


def size_table(findings: Findings) -> HtmlTable:
    """Heights and widths of each split."""
    header = ["split", "images", "sizes", "height, least", "median", "most", "width, least", "median", "most"]
    rows = []
    for split in findings.splits:
        cells = [split.name, f"{len(split):,}", f"{len(np.unique(split.sizes, axis=0)):,}"]
        for side in split.sizes.T:
            cells += [f"{side.min():,}", f"{np.median(side):,.0f}", f"{side.max():,}"]
        rows.append(cells)
    return HtmlTable(header, rows)


def kind_table(splits: Sequence[SplitFacts], title: str, counts: Sequence[Mapping[str, int]]) -> HtmlTable:
    """Images of each kind and split."""
    kinds = list(dict.fromkeys(kind for part in counts for kind in part))
    rows = [[kind, *(f"{part.get(kind, 0):,}" for part in counts)] for kind in kinds]
    return HtmlTable([title, *(split.name for split in splits)], rows)


def alike_table(findings: Findings) -> HtmlTable:
    """What was compared and found."""
    repeats = findings.repeats
    rows = [
        ["images compared for near-duplicates", f"{repeats.compared:,}"],
        ["left out: of nearly one grey", f"{repeats.flat:,}"],
        ["left out: too small", f"{repeats.tiny:,}"],
        ["sets of identical images", f"{repeats.identical_sets:,}"],
        ["images in these sets", f"{repeats.identical_images:,}"],
        *([f"near-duplicate pairs {where}", f"{count:,}"] for where, count in repeats.near_pairs.items()),
    ]
    if not repeats.near_pairs:
        rows.append(["near-duplicate pairs", "0"])
    return HtmlTable(["", "count"], rows)


def left_out(shown: int, total: int, things: str) -> str:
    """A sentence where not all are shown, else nothing."""
    return "" if shown >= total else f"Shown: {shown:,} of {total:,} {things}."
