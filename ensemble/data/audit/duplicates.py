"""Images that come more than once: what of it lets a score flatter, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.data.audit.pictures import Album
from ensemble.data.audit.rows import ACROSS_FOLDS, ACROSS_SPLITS, RELATIONS, SAME_FOLD, SPLIT_NAMES, TEST, TRAIN, Rows
from ensemble.data.audit.scan import Scan
from ensemble.data.audit.similarity import NearPairs
from ensemble.data.audit.words import LISTED, joined, more
from ensemble.errors import many
from ensemble.findings import Gravity, Picture, Repeats, Trap

MANY_FRACTION = 0.01
"""Without groups, this share of training images with a near-duplicate in another fold calls for groups."""

_GIVE_GROUPS = (
    "There are no groups, and images look like repeats of the same patient: give groups.csv (id,group), so that folds "
    "keep them together"
)


@dataclass(frozen=True)
class _Words:
    """How sets of identical images are spoken of, by where they lie."""

    gravity: Gravity
    name: str
    where: str
    advice: str


_SETS = {
    "splits": _Words(
        "leak",
        "identical images across splits",
        "in more than one split",
        "What is known of one is known of the other: take them out of the tables of one side",
    ),
    "folds": _Words(
        "leak",
        "identical images across folds",
        "in more than one fold",
        "The out-of-fold score would be too good: keep one of each, or give them one group in groups.csv",
    ),
    "inside": _Words(
        "caution",
        "identical images",
        "together in one split and fold",
        "They count more than once: keep one of each, unless that is meant",
    ),
}


def identical_sets(scan: Scan) -> list[NDArray[np.int64]]:
    """Rows with the same pixels, sets of at least two, each ascending, in the order of their first rows."""
    order = np.argsort(scan.pixels, kind="stable")
    borders = np.flatnonzero(np.diff(scan.pixels[order])) + 1
    sets = [part for part in np.split(order, borders) if len(part) > 1]
    return sorted(sets, key=lambda part: int(part[0]))


def repeats(scan: Scan, near: NearPairs, sets: Sequence[NDArray[np.int64]]) -> Repeats:
    """The counts that the page shows beside the traps."""
    pairs = {RELATIONS[number]: int(count) for number, count in enumerate(near.counts) if count}
    return Repeats(
        compared=int(near.compared.sum()),
        flat=int((scan.flat & ~scan.tiny).sum()),
        tiny=int(scan.tiny.sum()),
        identical_sets=len(sets),
        identical_images=sum(map(len, sets)),
        near_pairs=pairs,
    )


def identical_traps(scan: Scan, rows: Rows, sets: Sequence[NDArray[np.int64]], album: Album) -> Iterator[Trap]:
    """Sets by where they lie, and those whose labels contradict one another."""
    # Blank images are all alike and give nothing away; they have a warning of their own.
    telling = [part for part in sets if not scan.flat[part].all()]
    for place, words in _SETS.items():
        if not (found := [part for part in telling if _place(rows, part) == place]):
            continue
        text = (
            f"{many(len(found), 'set')} of identical images ({sum(map(len, found)):,} images) "
            f"{'lies' if len(found) == 1 else 'lie'} {words.where}: {_listed_sets(rows, found)}. {words.advice}"
        )
        yield Trap(words.gravity, words.name, text, _pictures(rows, found, album))
    if conflicting := [part for part in sets if _contradict(rows.labels[part])]:
        shown = "; ".join(_with_labels(rows, part) for part in conflicting[:LISTED])
        text = (
            f"{many(len(conflicting), 'set')} of identical images ({sum(map(len, conflicting)):,} images) with labels "
            f"that contradict one another: {shown}{more(len(conflicting))}. No model can be right for all of them: "
            "correct the labels, or leave such images out"
        )
        yield Trap("caution", "contradicting labels", text, _pictures(rows, conflicting, album))


def _place(rows: Rows, part: NDArray[np.int64]) -> str:
    if len(np.unique(rows.split[part])) > 1:
        return "splits"
    return "folds" if len(np.unique(rows.folds[part])) > 1 else "inside"


def _contradict(labels: NDArray[np.float64]) -> bool:
    return bool(((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any())


def _listed_sets(rows: Rows, sets: Sequence[NDArray[np.int64]]) -> str:
    return "; ".join(_equation(rows, part) for part in sets[:LISTED]) + more(len(sets))


def _equation(rows: Rows, part: NDArray[np.int64]) -> str:
    shown = " = ".join(f"{str(rows.image_ids[row])!r} ({rows.where(row)})" for row in part[:LISTED].tolist())
    return f"{shown} = {len(part) - LISTED:,} more" if len(part) > LISTED else shown


def _with_labels(rows: Rows, part: NDArray[np.int64]) -> str:
    labels = rows.labels[part]
    known = part[~np.isnan(labels).all(axis=1)]
    first = known[0]
    others = [row for row in known if _contradict(rows.labels[[first, row]])]
    pair = [first, others[0]] if others else known[:2]
    return " = ".join(f"{str(rows.image_ids[row])!r} ({_label_text(rows.labels[row])})" for row in pair)


def _label_text(labels: NDArray[np.float64]) -> str:
    text = ",".join("" if np.isnan(label) else str(int(label)) for label in labels[:12])
    return text if len(labels) <= 12 else f"{text},…"


def near_traps(near: NearPairs, rows: Rows, album: Album) -> Iterator[Trap]:
    """Near-duplicates that would be split, and a note on those that do no harm."""
    if near.counts[ACROSS_SPLITS]:
        yield _across_splits(near, rows, album)
    if near.counts[ACROSS_FOLDS]:
        yield _across_folds(near, rows, album)
    harmless = [number for number in range(SAME_FOLD, len(RELATIONS)) if near.counts[number]]
    if harmless:
        listed = "; ".join(f"{many(int(near.counts[number]), 'pair')} {RELATIONS[number]}" for number in harmless)
        first = near.examples[harmless[0]]
        text = f"{listed}. For information: these let no score flatter"
        yield Trap("note", "near-duplicates kept together", text, _pair_pictures(rows, first, album))


def _across_splits(near: NearPairs, rows: Rows, album: Album) -> Trap:
    involved = near.involved[ACROSS_SPLITS]
    counts = [f"{(involved & (rows.split == number)).sum():,} {name}" for number, name in enumerate(SPLIT_NAMES)]
    there = [text for text in counts if not text.startswith("0 ")]
    examples = near.examples[ACROSS_SPLITS]
    only_test = not (involved & (rows.split != TEST) & (rows.split != TRAIN)).any()
    scored = "The test score" if only_test else "The holdout's score"
    text = (
        f"{many(int(near.counts[ACROSS_SPLITS]), 'pair')} of near-duplicates in different splits, of {joined(there)} "
        f"images: {_listed_pairs(rows, examples)}{more(int(near.counts[ACROSS_SPLITS]))}. {scored} may be too good: "
        "look whether they are of one patient"
    )
    return Trap("leak", "near-duplicates across splits", text, _pair_pictures(rows, examples, album))


def _across_folds(near: NearPairs, rows: Rows, album: Album) -> Trap:
    n_pairs, n_images = int(near.counts[ACROSS_FOLDS]), int(near.involved[ACROSS_FOLDS].sum())
    grouped = bool((rows.groups[rows.train] >= 0).all())
    if grouped:
        advice = "They are in different groups: look whether one patient has two names"
    elif n_images >= max(10, MANY_FRACTION * rows.train.sum()):
        advice = _GIVE_GROUPS
    else:
        advice = "Look whether they are of one patient; if so, give groups.csv"
    text = (
        f"{many(n_pairs, 'pair')} of near-duplicates in different folds ({n_images:,} images, "
        f"{n_images / rows.train.sum():.1%} of training): {_listed_pairs(rows, near.examples[ACROSS_FOLDS])}"
        f"{more(n_pairs)}. The out-of-fold score would be too good. {advice}"
    )
    return Trap("leak", "near-duplicates across folds", text, _pair_pictures(rows, near.examples[ACROSS_FOLDS], album))


def _listed_pairs(rows: Rows, pairs: NDArray[np.int64]) -> str:
    return "; ".join(
        " ~ ".join(f"{str(rows.image_ids[row])!r} ({rows.where(row)})" for row in pair)
        for pair in pairs[:LISTED].tolist()
    )


def _pair_pictures(rows: Rows, pairs: NDArray[np.int64], album: Album) -> tuple[Picture, ...]:
    return tuple(album.picture(row, rows.where(row)) for row in pairs[:LISTED].ravel().tolist())


def _pictures(rows: Rows, sets: Sequence[NDArray[np.int64]], album: Album) -> tuple[Picture, ...]:
    return tuple(album.picture(row, rows.where(row)) for part in sets[:LISTED] for row in _apart(rows, part))


def _apart(rows: Rows, part: NDArray[np.int64]) -> list[int]:
    """Two rows of a set, in different places or of different labels if there are such."""
    first = part[0]
    places = (rows.split[part] != rows.split[first]) | (rows.folds[part] != rows.folds[first])
    elsewhere = part[np.argsort(~places, kind="stable")]
    return [int(first), int(next(row for row in elsewhere if row != first))]
