"""What ``explore`` finds out about a dataset and ``report`` shows: plain facts, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Gravity = Literal["leak", "caution", "note"]
GRAVITIES: tuple[Gravity, ...] = ("leak", "caution", "note")
"""``leak``: a score would flatter. ``caution``: look at it. ``note``: good to know, harms nothing."""


_NAMED = 6
_UNLABELLED_NAMED = 2


@dataclass(frozen=True)
class Picture:
    """An image, small enough to show.

    Attributes:
        image_id: Whose it is.
        caption: A few words more, e.g. its split.
        png: An 8-bit grey PNG file.
        height: Of the PNG, in pixels; likewise ``width``.
    """

    image_id: str
    caption: str
    png: bytes
    height: int
    width: int


@dataclass(frozen=True)
class Trap:
    """Something about the data that makes scores lie or training go wrong.

    Attributes:
        gravity: One of ``GRAVITIES``.
        name: Two or three words.
        text: What, how many, which first, and what to do.
        pictures: Of the first cases; two that belong together stand side by side.
    """

    gravity: Gravity
    name: str
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Some images that have a label, or a combination of labels.

    Attributes:
        title: The class, or the combination.
        total: How many training images it was chosen from.
        pictures: The choice.
    """

    title: str
    total: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class SplitFacts:
    """One split's images.

    Attributes:
        name: ``train``, ``holdout`` or ``test``.
        sizes: Shape (N, 2), int64: height and width of each image, in pixels.
        modes: Kind of pixels to the number of images, the commonest first; likewise ``formats``, of files.
        intensity: Shape (B,), float64: share of an image's pixels in each of B equal bins from black to full scale,
            averaged over images; sums to 1.
        positives: Shape (C,), int64; None for test rows.
        unlabelled: Shape (C,), int64; None for test rows.
        labels_per_image: Entry k: images with k positive classes; None for test rows.
    """

    name: str
    sizes: NDArray[np.int64]
    modes: Mapping[str, int]
    formats: Mapping[str, int]
    intensity: NDArray[np.float64]
    positives: NDArray[np.int64] | None
    unlabelled: NDArray[np.int64] | None
    labels_per_image: tuple[int, ...] | None

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Combination:
    """A set of labels that come together.

    Attributes:
        names: The positive classes; empty for images without a finding.
        unlabelled: The classes that are not labelled.
        counts: Split to the number of images.
    """

    names: tuple[str, ...]
    unlabelled: tuple[str, ...]
    counts: Mapping[str, int]

    @property
    def title(self) -> str:
        """The classes, for people; those without a label in brackets; counted where there are many."""
        more = f" + {len(self.names) - _NAMED} more" if len(self.names) > _NAMED else ""
        known = f"{' + '.join(self.names[:_NAMED])}{more}" or "no finding"
        if not self.unlabelled:
            return known
        few = len(self.unlabelled) <= _UNLABELLED_NAMED
        return f"{known} (not labelled: {', '.join(self.unlabelled) if few else f'{len(self.unlabelled)} classes'})"


@dataclass(frozen=True, eq=False)
class GroupFacts:
    """The training rows' groups.

    Attributes:
        sizes: Group to its number of training images, the largest first.
        positives: Shape (C,), int64: groups with a positive image.
    """

    sizes: Mapping[str, int]
    positives: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Division:
    """The folds.

    Attributes:
        source: Where they came from, in words.
        sizes: Shape (K,), int64: images of each fold.
        groups: Shape (K,), int64: groups of each fold; None without groups.
        positives: Shape (K, C), int64; likewise ``labelled``.
    """

    source: str
    sizes: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    positives: NDArray[np.int64]
    labelled: NDArray[np.int64]


@dataclass(frozen=True)
class Association:
    """How well a property of the files tells a class.

    Attributes:
        property: E.g. ``image width``.
        level: The value that was compared with all others; None for a number, which was ranked.
        class_name: The class.
        auroc: Of the number, or of "has this level", for the class; 0.5 says nothing.
        cramers_v: Of level and class, 0 to 1; None for a number.
        rate: Share of positives among images of the level; None for a number. ``other_rate``: among the others.
        n_level: Images of the level; None for a number.
        p_value: Of no association, groups counted as one witness each, times the number of tests, at most 1.
        strong: Whether it is certain and large enough to be warned of.
    """

    property: str
    level: str | None
    class_name: str
    auroc: float
    cramers_v: float | None
    rate: float | None
    other_rate: float | None
    n_level: int | None
    p_value: float
    strong: bool


@dataclass(frozen=True)
class Repeats:
    """How many images are alike, beside what the traps say.

    Attributes:
        compared: Images that were looked at for near-duplicates.
        flat: Images that were not, for they are of nearly one grey; ``tiny``: for they are too small.
        identical_sets: Sets of images with the same pixels.
        identical_images: Images in these sets.
        near_pairs: Where the two images stand, in words, to the number of pairs of near-duplicates.
    """

    compared: int
    flat: int
    tiny: int
    identical_sets: int
    identical_images: int
    near_pairs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that the page says.

    Attributes:
        dataset: Its name.
        class_names: C names.
        splits: Training rows first.
        together: Shape (C, C), int64: training images that are positive for both; the diagonal counts positives.
        alone: Shape (C,), int64: training images that are positive for the class and no other.
        combinations: The commonest in training first.
        class_intensity: Shape (C, 2, B), float64, NaN where there is no such image: as ``SplitFacts.intensity``, of
            training images that are negative and positive for each class.
        groups: None where every image counts as independent.
        groups_source: In words.
        division: None where no folds can be made.
        repeats: Images that are alike.
        associations: The strongest of each property and class.
        n_tests: How many were made of these.
        traps: The gravest first.
        by_class: Examples of each class.
        by_combination: Examples of the commonest combinations.
        limits: What stands behind the numbers, a sentence each: thresholds and caps.
    """

    dataset: str
    class_names: tuple[str, ...]
    splits: tuple[SplitFacts, ...]
    together: NDArray[np.int64]
    alone: NDArray[np.int64]
    combinations: tuple[Combination, ...]
    class_intensity: NDArray[np.float64]
    groups: GroupFacts | None
    groups_source: str
    division: Division | None
    repeats: Repeats
    associations: tuple[Association, ...]
    n_tests: int
    traps: tuple[Trap, ...]
    by_class: tuple[Gallery, ...]
    by_combination: tuple[Gallery, ...]
    limits: tuple[str, ...]
