"""Traps other than repeated images: in groups, labels, pixels and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations as pairs_of

import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.rows import HOLDOUT, SPLIT_NAMES, TRAIN, Rows
from ensemble.data.audit.scan import Scan
from ensemble.data.audit.words import LISTED, more
from ensemble.dataset import Dataset
from ensemble.dataset.one_kind import classes_of_one_kind
from ensemble.errors import first_few, many
from ensemble.findings import Association, SplitFacts, Trap
from ensemble.folds import FoldFile, rare_classes

_DARK_BINS = 8
_DARK_SHARE = 0.999
_CLASSES_LISTED = 6
_RARE_LISTED = 3


def group_traps(rows: Rows) -> Iterator[Trap]:
    """Groups on both sides of two splits."""
    for one, other in pairs_of(range(len(SPLIT_NAMES)), 2):
        sides = [rows.groups[(rows.split == number) & (rows.groups >= 0)] for number in (one, other)]
        shared = np.intersect1d(*sides)
        if not len(shared):
            continue
        names = SPLIT_NAMES[one], SPLIT_NAMES[other]
        counts = [f"{np.isin(side, shared).sum():,} {name}" for side, name in zip(sides, names, strict=True)]
        refused = (
            "Training refuses this: move them to one side, or set holdout: false in dataset.yaml"
            if (one, other) == (TRAIN, HOLDOUT)
            else "The test score will be better than that on new patients"
        )
        text = (
            f"{many(len(shared), 'group')} in {names[0]} and in {names[1]}, with {' and '.join(counts)} images: "
            f"{first_few(rows.group_names[shared])}. {refused}"
        )
        yield Trap("leak", "groups across splits", text)


def fold_traps(dataset: Dataset, folds: FoldFile | None, refusal: str | None) -> Iterator[Trap]:
    """Folds that cannot be made, and classes too rare for them."""
    if refusal is not None:
        yield Trap("caution", "folds", refusal)
    if folds is None or dataset.train.labels is None:
        return
    # A fold file of one's own may bring groups.
    sentences = rare_classes(dataset.train.labels, folds.groups, dataset.class_names, folds.n_folds)
    if len(sentences) <= _RARE_LISTED:
        for sentence in sentences:
            yield Trap("caution", "rare class", sentence)
        return
    text = (
        f"{len(sentences)} of {len(dataset.class_names)} classes are positive in fewer "
        f"{'images' if folds.groups is None else 'groups'} than there are folds ({folds.n_folds}), so some folds have "
        f"none to score. The first {_RARE_LISTED}: {'; '.join(sentences[:_RARE_LISTED])}"
    )
    yield Trap("caution", "rare classes", text)


def label_traps(rows: Rows, class_names: Sequence[str]) -> Iterator[Trap]:
    """Classes that cannot be learnt or scored, and labels that are missing."""
    for number in np.unique(rows.split[rows.split <= HOLDOUT]).tolist():
        labels, split = rows.labels[rows.split == number], SPLIT_NAMES[number]
        for what, names in classes_of_one_kind(labels, class_names).items():
            yield Trap("caution", "labels of one kind", f"in {split} {what} for {first_few(names, 8)}")
        missing = np.isnan(labels)
        if missing.any():
            yield Trap("note", "missing labels", _missing(split, missing.sum(axis=0), class_names))


def _missing(split: str, counts: NDArray[np.int64], class_names: Sequence[str]) -> str:
    counted = [f"{name} ({count:,})" for name, count in zip(class_names, counts.tolist(), strict=True) if count]
    listed = f"{', '.join(counted[:_CLASSES_LISTED])}{more(len(counted), _CLASSES_LISTED)}"
    return f"in {split} not every image is labelled; without a label: {listed}"


def pixel_traps(scan: Scan, rows: Rows) -> Iterator[Trap]:
    """Blank images, mixed depths, and 16 bits of which few are used."""
    if scan.flat.any():
        ids = rows.image_ids[scan.flat]
        text = f"{many(len(ids), 'image')} of nearly one grey: {first_few(ids)}. Look whether they are blank by mistake"
        yield Trap("caution", "blank images", text)
    deep = np.char.endswith(scan.properties["mode"], "16 bits")
    if deep.any() and not deep.all():
        text = (
            f"{many(int(deep.sum()), 'image')} of 16 bits and {(~deep).sum():,} of 8: all are kept with 16, and "
            "white is white in both. Where a 16-bit file holds 12 bits, its white is darker"
        )
        yield Trap("caution", "mixed depths", text)
    if deep.any() and scan.histograms[deep, :_DARK_BINS].sum(axis=1).mean() > _DARK_SHARE:
        text = (
            f"{many(int(deep.sum()), 'image')} of 16 bits: on the whole they use less than an eighth of the range from "
            "black to white, so networks see them nearly black. Scale them to the full range, e.g. 12 bits by 16"
        )
        yield Trap("caution", "dark 16-bit images", text)


def file_traps(associations: Sequence[Association], n_classes: int) -> Iterator[Trap]:
    """A sentence for each property of the files that tells a class."""
    strong = [association for association in associations if association.strong]
    for name in dict.fromkeys(association.property for association in strong):
        found = [association for association in strong if association.property == name]
        listed = "; ".join(map(_told, found[:_CLASSES_LISTED]))
        text = (
            f"{name} tells {len(found)} of {n_classes} classes: {listed}"
            f"{more(len(found), _CLASSES_LISTED)}. A network may learn the kind of "
            "file instead of the finding: look where such files come from"
        )
        yield Trap("caution", "file property tells a label", text)


def _told(association: Association) -> str:
    name, p_value = association.class_name, association.p_value
    shown = f"p = {p_value:.1g} corrected" if p_value >= 1e-12 else "p < 1e-12 corrected"
    if association.level is None or association.rate is None or association.other_rate is None:
        which = "the larger" if association.auroc >= 0.5 else "the smaller"
        auroc = max(association.auroc, 1 - association.auroc)
        return f"{name} ({which}, the likelier: AUROC {auroc:.3f}, {shown})"
    return (
        f"{name} (positive on {association.rate:.1%} of the {association.n_level:,} images with {association.level!r}, "
        f"on {association.other_rate:.1%} of the others: Cramér's V {association.cramers_v:.2f}, {shown})"
    )


def table_traps(dataset: Dataset) -> Iterator[Trap]:
    """What of the folder was not read."""
    if dataset.unused_tables:
        described = dataset.describe_unused()
        text = f"{'; '.join(described[:LISTED])}{more(len(described))} (docs/data.md)"
        yield Trap("note", "tables not read", text)
    if described_images := dataset.describe_images_without_id():
        yield Trap("note", "images without id", f"{described_images}. They are not used")


def without_groups(rows: Rows) -> Iterator[Trap]:
    """A note where every image counts as independent."""
    if (rows.groups[rows.train] < 0).any():
        text = (
            "every image counts as independent. If patients have several images, folds leak and every score is too "
            "good: give groups.csv (id,group). Repeats of a patient that look different are not found here"
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
