"""What is drawn and labelled, decided before the first pixel.

Patients are ill or well; an ill one has one or more findings, class 3 mostly beside class 1 or 2. A finding has a
strength between 0 and 1 on each slice, which is exactly what the drawing shows. A label is positive with the
probability ``label_probabilities(strength)``, independently of everything else given the strengths: no rule can know
more of a label than this probability.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.errors import DataError
from ensemble.seeds import derive_seed

CLASS_NAMES = ("class1", "class2", "class3")
MAX_SLICES = 6

SplitName = Literal["train", "holdout", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "holdout", "test")

_ILL_SHARE = 0.70
_SHARE_OF_THE_ILL = (0.84, 0.42)  # with class 1, with class 2
_SHARE_WITH_CLASS3 = (0.005, 0.20, 0.48)  # by how many of classes 1 and 2 the patient has
_FINDING_LEFT_OUT = 0.08  # a slice that misses its patient's finding

_MIDPOINT = 0.48  # the strength at which a label is a coin toss
_STEEPNESS = 11.0


@dataclass(frozen=True)
class PhantomSize:
    """How many images of which size.

    Attributes:
        train: Images of the training split.
        holdout: Images of the split that comes as validation.
        test: Images without published labels.
        pixels: Height and width.
    """

    train: int
    holdout: int
    test: int
    pixels: int

    def __post_init__(self) -> None:
        if min(self.train, self.holdout, self.test) < 1 or self.pixels < 32:
            raise DataError(
                "phantoms: expected at least one image in each split and at least 32 pixels, "
                f"got {self.train} train, {self.holdout} holdout, {self.test} test images of {self.pixels} pixels"
            )

    @property
    def total(self) -> int:
        """Images over all splits."""
        return self.train + self.holdout + self.test

    def count(self, split: SplitName) -> int:
        """Images of one split."""
        return {"train": self.train, "holdout": self.holdout, "test": self.test}[split]


SIZES = {
    "demo": PhantomSize(train=2_000, holdout=500, test=500, pixels=64),
    "origin": PhantomSize(train=12_000, holdout=3_000, test=5_000, pixels=224),
}


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """Everything about one split except its pixels. Row i depends on (seed, split, i) alone, not on how many follow.

    Attributes:
        split: Which one.
        seed: The user's seed.
        image_ids: Shape (N,), text, unique over all splits; a scrambled counter, so it tells nothing.
        patients: Shape (N,), int64, the patient's number within the split.
        slices: Shape (N,), int64, the slice's number within the patient, from 0.
        groups: Shape (N,), text, the patient's name, unique over all splits.
        strengths: Shape (N, C), float64 in [0, 1], how strongly each finding is drawn.
        probabilities: Shape (N, C), float64 in (0, 1), ``label_probabilities(strengths)``.
        labels: Shape (N, C), bool, drawn with these probabilities.
    """

    split: SplitName
    seed: int
    image_ids: NDArray[np.str_]
    patients: NDArray[np.int64]
    slices: NDArray[np.int64]
    groups: NDArray[np.str_]
    strengths: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image_ids)


def plan_split(split: SplitName, n_images: int, *, seed: int) -> SplitPlan:
    """Decide patients, strengths, probabilities and labels of one split.

    Args:
        split: Which one; splits share no patient.
        n_images: How many slices.
        seed: The user's seed.
    """
    rows = [row for _, row in zip(range(n_images), _slices_of_all_patients(split, seed), strict=False)]
    patients = np.array([row[0] for row in rows], dtype=np.int64)
    strengths = np.array([row[2] for row in rows], dtype=np.float64)
    probabilities = label_probabilities(strengths)
    dice = np.random.default_rng(derive_seed(seed, "phantom labels", split)).random(probabilities.shape)
    return SplitPlan(
        split=split,
        seed=seed,
        image_ids=_scrambled_names("s", split, seed=seed, numbers=np.arange(n_images)),
        patients=patients,
        slices=np.array([row[1] for row in rows], dtype=np.int64),
        groups=_scrambled_names("p", split, seed=seed, numbers=patients),
        strengths=strengths,
        probabilities=probabilities,
        labels=dice < probabilities,
    )


def label_probabilities(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of a positive label where a finding is drawn this strongly: a logistic curve.

    Args:
        strengths: Any shape, in [0, 1].

    Returns:
        Same shape, in (0, 1): 0.5 at a strength of 0.45, below 0.01 without the finding, above 0.99 at full strength.
    """
    return np.asarray(expit(_STEEPNESS * (strengths - _MIDPOINT)), dtype=np.float64)


def _slices_of_all_patients(split: SplitName, seed: int) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Patient, slice, strengths (C,): patient after patient, without end."""
    patient = 0
    while True:
        rng = np.random.default_rng(derive_seed(seed, "phantom patient", split, patient))
        n_slices = int(rng.integers(1, MAX_SLICES + 1))
        present = _findings_of_patient(rng)
        usual = np.where(present, *_strong_and_weak(rng))
        for index in range(n_slices):
            yield patient, index, _strengths_of_slice(rng, usual)
        patient += 1


def _findings_of_patient(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Shape (C,): which findings a patient has."""
    dice = rng.random(4)
    ill = dice[0] < _ILL_SHARE
    first = ill and dice[1] < _SHARE_OF_THE_ILL[0]
    second = ill and dice[2] < _SHARE_OF_THE_ILL[1]
    third = dice[3] < _SHARE_WITH_CLASS3[int(first) + int(second)]
    return np.array([first, second, third], dtype=np.bool_)


def _strong_and_weak(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape (C,) each: strengths of findings that are there, and of what looks a little like one."""
    n_classes = len(CLASS_NAMES)
    return 0.35 + 0.6 * rng.beta(1.4, 1.1, n_classes), 0.35 * rng.beta(1.1, 3.0, n_classes)


def _strengths_of_slice(rng: np.random.Generator, usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """The patient's strengths, moved a little; now and then the slice misses a finding."""
    moved = usual + 0.06 * rng.standard_normal(len(usual))
    missed = rng.random(len(usual)) < _FINDING_LEFT_OUT
    _, weak = _strong_and_weak(rng)
    return np.clip(np.where(missed, weak, moved), 0.0, 1.0)


def _scrambled_names(letter: str, split: SplitName, *, seed: int, numbers: NDArray[np.int64]) -> NDArray[np.str_]:
    """A letter and eight hex digits per number: unique over all splits, and in no order that means anything.

    A bijection of 32 bits, the finaliser of MurmurHash3, on (split, number); the seed shifts it.

    Source: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (fmix32, public domain).
    """
    start = derive_seed(seed, "phantom names", letter) ^ (SPLIT_NAMES.index(split) << 28)
    mixed = (numbers.astype(np.uint64) ^ np.uint64(start & 0xFFFF_FFFF)) & np.uint64(0xFFFF_FFFF)
    for shift, factor in ((16, 0x85EB_CA6B), (13, 0xC2B2_AE35), (16, 1)):
        mixed ^= mixed >> np.uint64(shift)
        mixed = (mixed * np.uint64(factor)) & np.uint64(0xFFFF_FFFF)
    return np.array([f"{letter}{int(value):08x}" for value in mixed], dtype=np.str_)
