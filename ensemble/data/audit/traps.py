"""Traps other than repeated images: in groups, labels, pixels and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations as pairs_of

import numpy as np

from ensemble.data.audit.rows import HOLDOUT, SPLIT_NAMES, TRAIN, Rows
from ensemble.data.audit.scan import Scan
from ensemble.dataset import Dataset
from ensemble.errors import first_few
from ensemble.findings import Association, SplitFacts, Trap
from ensemble.folds import FoldFile, rare_classes

_DARK_BINS = 8
_DARK_SHARE = 0.999
_CLASSES_LISTED = 6


def group_traps(rows: Rows) -> Iterator[Trap]:
    """Groups on both sides of two splits."""
    for one, other in pairs_of(range(len(SPLIT_NAMES)), 2):
        sides = [rows.groups[(rows.split == number) & (rows.groups >= 0)] for number in (one, other)]
        shared = np.intersect1d(*sides)
        if not len(shared):
            continue
        counts = [
            f"{np.isin(side, shared).sum():,} {SPLIT_NAMES[n]}" for side, n in zip(sides, (one, other), strict=True)
        ]
        refused = (
            "Training refuses this: move them to one side, or set holdout: false in dataset.yaml"
            if (one, other) == (TRAIN, HOLDOUT)
            else "The test score will be better than that on new patients"
        )
        text = (
            f"{len(shared):,} groups are in {SPLIT_NAMES[one]} and in {SPLIT_NAMES[other]}, with {' and '.join(counts)} "
            f"images: {first_few(rows.group_names[shared])}. {refused}"
        )
        yield Trap("leak", "groups across splits", text)


def fold_traps(dataset: Dataset, folds: FoldFile | None, refusal: str | None) -> Iterator[Trap]:
    """Folds that cannot be made, and classes too rare for them."""
    if refusal is not None:
        yield Trap("caution", "folds", refusal)
    if folds is not None and dataset.train.labels is not None:
        # A fold file of one's own may bring groups.
        for sentence in rare_classes(dataset.train.labels, folds.groups, dataset.class_names, folds.n_folds):
            yield Trap("caution", "rare class", sentence)


def label_traps(rows: Rows, class_names: Sequence[str]) -> Iterator[Trap]:
    """Classes that cannot be learnt or scored, and labels that are missing."""
    for number in np.unique(rows.split[rows.split <= HOLDOUT]).tolist():
        labels, split = rows.labels[rows.split == number], SPLIT_NAMES[number]
        unlabelled = np.isnan(labels).sum(axis=0)
        for what, found in (
            ("no image is labelled", unlabelled == len(labels)),
            (
                "every labelled image is positive",
                ((labels == 1) | np.isnan(labels)).all(axis=0) & (unlabelled < len(labels)),
            ),
            *(
                [("no image is positive", ~(labels == 1).any(axis=0) & (unlabelled < len(labels)))]
                if number == HOLDOUT
                else []
            ),
        ):
            if found.any():
                names = [name for name, one in zip(class_names, found, strict=True) if one]
                yield Trap("caution", "labels of one kind", f"in {split} {what} for {first_few(names, 8)}")
        if unlabelled.any():
            pairs = zip(class_names, unlabelled.tolist(), strict=True)
            counted = [f"{name} {count:,}" for name, count in pairs if count]
            shown = ", ".join(counted[:_CLASSES_LISTED])
            more = f" (+{len(counted) - _CLASSES_LISTED} more classes)" if len(counted) > _CLASSES_LISTED else ""
            yield Trap(
                "note", "missing labels", f"in {split} not every image is labelled; without a label: {shown}{more}"
            )


def pixel_traps(scan: Scan, rows: Rows) -> Iterator[Trap]:
    """Blank images, mixed depths, and 16 bits of which few are used."""
    if scan.flat.any():
        ids = rows.image_ids[scan.flat]
        text = f"{len(ids):,} images are of nearly one grey: {first_few(ids)}. Look whether they are blank by mistake"
        yield Trap("caution", "blank images", text)
    deep = np.char.endswith(scan.properties["mode"], "16 bits")
    if deep.any() and not deep.all():
        text = (
            f"{deep.sum():,} images have 16 bits and {(~deep).sum():,} have 8: all are kept with 16, and white is white "
            "in both. Where a 16-bit file holds 12 bits, its white is darker"
        )
        yield Trap("caution", "mixed depths", text)
    if deep.any() and scan.histograms[deep, :_DARK_BINS].sum(axis=1).mean() > _DARK_SHARE:
        text = (
            f"the {deep.sum():,} images of 16 bits use less than an eighth of the range from black to white, so networks "
            "see them nearly black. Scale them to the full range, e.g. 12 bits by 16"
        )
        yield Trap("caution", "dark 16-bit images", text)


def file_traps(associations: Sequence[Association]) -> Iterator[Trap]:
    """A sentence for each property of the files that tells a class."""
    strong = [association for association in associations if association.strong]
    for name in dict.fromkeys(association.property for association in strong):
        found = [association for association in strong if association.property == name]
        listed = "; ".join(map(_told, found[:_CLASSES_LISTED]))
        more = f" (+{len(found) - _CLASSES_LISTED} more classes)" if len(found) > _CLASSES_LISTED else ""
        text = (
            f"the files' {name} tells {len(found)} of the classes: {listed}{more}. A network may learn the kind of file "
            "instead of the finding: look where such files come from"
        )
        yield Trap("caution", "file property tells a label", text)


def _told(association: Association) -> str:
    name, p_value = association.class_name, association.p_value
    shown = f"p = {p_value:.1g} corrected" if p_value >= 1e-12 else "p < 1e-12 corrected"
    if association.level is None or association.rate is None or association.other_rate is None:
        more = "the larger" if association.auroc >= 0.5 else "the smaller"
        auroc = max(association.auroc, 1 - association.auroc)
        return f"{name} ({more}, the likelier: AUROC {auroc:.3f}, {shown})"
    return (
        f"{name} (positive on {association.rate:.1%} of the {association.n_level:,} images with {association.level!r}, on "
        f"{association.other_rate:.1%} of the others: Cramér's V {association.cramers_v:.2f}, {shown})"
    )


def table_traps(dataset: Dataset) -> Iterator[Trap]:
    """What of the folder was not read, and groups that are not there."""
    if dataset.unused_tables:
        listed = first_few(dataset.unused_tables)
        yield Trap("note", "tables not read", f"{listed}: they hold ids, but have no name that is read (docs/data.md)")


def without_groups(rows: Rows) -> Iterator[Trap]:
    """A note where every image counts as independent."""
    if (rows.groups[rows.train] < 0).any():
        text = (
            "every image counts as independent. If patients have several images, folds leak and every score is too good: "
            "give groups.csv (id,group). Repeats of a patient that look different are found by nobody here"
        )
        yield Trap("note", "no groups", text)


def shift_traps(splits: Sequence[SplitFacts]) -> Iterator[Trap]:
    """Kinds of pixels that holdout or test images have and training images never."""
    known = set(splits[0].modes)
    for split in splits[1:]:
        if new := {mode: count for mode, count in split.modes.items() if mode not in known}:
            listed = ", ".join(f"{mode} ({count:,} images)" for mode, count in new.items())
            text = f"{split.name} holds kinds of pixels that training does not: {listed}. Look whether they look alike"
            yield Trap("caution", "other files in another split", text)
