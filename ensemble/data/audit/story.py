"""One look through a dataset, from its files to what is worth saying."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ensemble.data.audit import association, pictures, similarity
from ensemble.data.audit.association import find_associations
from ensemble.data.audit.counts import class_intensity, co_occurrence, combinations, division, group_facts, split_facts
from ensemble.data.audit.duplicates import identical_sets, identical_traps, near_traps, repeats
from ensemble.data.audit.files import FLAT_DEVIATION, HASH_BITS, SMALLEST_SIDE
from ensemble.data.audit.pictures import Album
from ensemble.data.audit.rows import all_rows
from ensemble.data.audit.scan import Progress, scan_images
from ensemble.data.audit.similarity import find_near_pairs
from ensemble.data.audit.traps import (
    file_traps,
    fold_traps,
    group_traps,
    label_traps,
    pixel_traps,
    shift_traps,
    table_traps,
    without_groups,
)
from ensemble.dataset import Dataset
from ensemble.findings import GRAVITIES, Findings, Trap
from ensemble.folds import FoldFile


@dataclass(frozen=True, eq=False)
class Folds:
    """The folds as far as there are any.

    Attributes:
        folds: In the order of the training rows; None if none can be made.
        source: Where they came from, in words.
        refusal: Why there are none, or why those that stand are not the ones shown; None if all is well.
    """

    folds: FoldFile | None
    source: str
    refusal: str | None = None


def audit(
    dataset: Dataset, division_of: Folds, *, seed: int = 0, workers: int | None = None, progress: Progress | None = None
) -> Findings:
    """Read every image once and find what there is to say.

    Args:
        dataset: As it is divided, with images.
        division_of: Its folds.
        seed: Chooses the examples, and nothing else.
        workers: Threads that read; None: one for each processor.
        progress: Called with images done and images in all, now and then.

    Raises:
        DataError: Images cannot be decoded; names the first five and counts the rest.
    """
    rows = all_rows(dataset, division_of.folds)
    scan = scan_images(dataset.path, rows.files.tolist(), workers=workers, progress=progress)
    album = Album(dataset.path, rows, seed)
    splits = split_facts(scan, rows)
    together, alone = co_occurrence(rows)
    found, keys = combinations(rows, dataset.class_names)
    near, sets = find_near_pairs(scan, rows), identical_sets(scan)
    associations, n_tests = find_associations(scan, rows, dataset.class_names)
    traps = [
        *identical_traps(scan, rows, sets, album),
        *near_traps(near, rows, album),
        *file_traps(associations, len(dataset.class_names)),
        *shift_traps(splits),
        *pixel_traps(scan, rows),
        *traps_in_tables(dataset, division_of),
    ]
    folds = division_of.folds
    return Findings(
        dataset=dataset.name,
        class_names=dataset.class_names,
        splits=splits,
        together=together,
        alone=alone,
        combinations=found,
        class_intensity=class_intensity(scan, rows),
        groups=group_facts(rows),
        groups_source=dataset.groups_source,
        division=None if folds is None else division(rows, folds, division_of.source),
        repeats=repeats(scan, near, sets),
        associations=associations,
        n_tests=n_tests,
        traps=_gravest_first(traps),
        by_class=album.by_class(dataset.class_names),
        by_combination=album.by_combination(found, keys),
        limits=_limits(),
    )


def traps_in_tables(dataset: Dataset, division_of: Folds) -> tuple[Trap, ...]:
    """The traps that tables, folds and names of files show; no image is opened.

    Args:
        dataset: As it is divided.
        division_of: Its folds.
    """
    rows = all_rows(dataset, division_of.folds)
    return _gravest_first(
        [
            *group_traps(rows),
            *fold_traps(dataset, division_of.folds, division_of.refusal),
            *label_traps(rows, dataset.class_names),
            *without_groups(rows),
            *table_traps(dataset),
        ]
    )


def _gravest_first(traps: Iterable[Trap]) -> tuple[Trap, ...]:
    return tuple(sorted(traps, key=lambda trap: GRAVITIES.index(trap.gravity)))


def _limits() -> tuple[str, ...]:
    """The thresholds and caps that stand behind the page."""
    near = (
        f"Near-duplicates: perceptual hashes (pHash of {HASH_BITS} bits) differ in at most {similarity.MOST_BITS} "
        f"bits, and thumbnails correlate by at least {similarity.LEAST_CORRELATION}. This finds copies that were "
        "resized, recompressed, or changed in brightness and contrast; not those that were mirrored, shifted or "
        "cropped by more than a few pixels."
    )
    left_out = (
        f"Not compared: images with a side below {SMALLEST_SIDE} pixels, and those whose thumbnail varies by less "
        f"than {FLAT_DEVIATION} of 255 grey values."
    )
    telling = (
        f"A property of the files tells a class if p < {association.LARGEST_P} after Bonferroni's correction, each "
        f"group one witness, and AUROC is at least {association.LEAST_AUROC:.2f} or at most "
        f"{1 - association.LEAST_AUROC:.2f}, or Cramér's V at least {association.LEAST_V:.2f}. Tested where there are "
        f"{association.FEWEST} images of each kind."
    )
    chosen = (
        f"Pictures are chosen at random by --seed, of different groups where there are enough, and shrunk to "
        f"{pictures.LONGEST_SIDE} pixels: at most 8 of a class (4 where there are more than {pictures.MANY_CLASSES} "
        f"classes), and of the {pictures.MOST_COMBINATIONS} commonest combinations."
    )
    identical = "Identical images have the same grey pixels after decoding, whatever the file."
    return identical, near, left_out, telling, chosen
