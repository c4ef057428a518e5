"""A patient's head, and one axial slice of it without findings.

Coordinates of the head: ``across`` from the patient's right (-1) to left (+1), ``down`` from the front (-1) to the
back (+1); the scalp lies near radius 1. Brightness is that of a FLAIR image: fluid dark, grey matter brighter than
white. All fields are float32 of shape (H, W).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]

BRAIN_RADIUS = 0.84
_FLUID, _WHITE, _GREY, _SKULL, _SCALP = 0.10, 0.43, 0.58, 0.07, 0.68
_FOLDS_SHAPE = (24, 96)  # depth, angle: sulci run inwards, so the angle is the finer axis
# A lateral ventricle from its front horn to its back horn, for |across|.
_VENTRICLE_PATH = ((0.115, -0.30), (0.060, -0.12), (0.065, 0.08), (0.155, 0.30))


@dataclass(frozen=True, eq=False)
class Head:
    """What all slices of one patient share.

    Attributes:
        half_width: Of the head, as a fraction of half the image.
        half_height: Likewise.
        wobble: Shape (3, 2), amplitude and phase of the outline's harmonics 2 to 4.
        contrast: Grey minus white matter, relative to the usual.
        scalp: Thickness of the scalp, relative to the usual.
        folds: Shape (2, 24, 96), two fields of sulci (depth, angle); a slice mixes them by its level.
        tilt: Rotation in radians.
        asymmetry: How much nearer to the midline one ventricle lies than the other.
        shift: Shape (2,), across and down, as a fraction of half the image.
    """

    half_width: float
    half_height: float
    wobble: NDArray[np.float64]
    contrast: float
    scalp: float
    folds: Field
    tilt: float
    asymmetry: float
    shift: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice's place in the head and on the image.

    Attributes:
        level: From -1 (lower) to 1 (higher); higher slices are smaller.
        tilt: Rotation in radians, added to the head's.
        shift: Shape (2,), likewise added.
    """

    level: float
    tilt: float
    shift: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Where each pixel lies in the head: fields of shape (H, W).

    Attributes:
        across: -1 to 1 inside the head.
        down: Likewise.
        radius: 0 in the centre, 1 at the scalp's outer rim.
        angle: In radians.
    """

    across: Field
    down: Field
    radius: Field
    angle: Field


def draw_head(rng: np.random.Generator) -> Head:
    """A patient's own anatomy."""
    noise = rng.standard_normal((2, *_FOLDS_SHAPE)).astype(np.float32)
    return Head(
        half_width=rng.uniform(0.64, 0.74),
        half_height=rng.uniform(0.80, 0.90),
        wobble=np.stack([rng.uniform(0.0, 0.02, 3), rng.uniform(0.0, 2 * np.pi, 3)], axis=1),
        contrast=rng.uniform(0.6, 1.3),
        scalp=rng.uniform(0.7, 1.3),
        folds=np.stack([_smooth_on_the_circle(field) for field in noise]),
        tilt=rng.normal(0.0, 0.10),
        asymmetry=rng.normal(0.0, 0.10),
        shift=rng.uniform(-0.06, 0.06, 2),
    )


def draw_slice(rng: np.random.Generator) -> Slice:
    """Where one slice lies."""
    return Slice(level=rng.uniform(-1.0, 1.0), tilt=rng.normal(0.0, 0.03), shift=rng.uniform(-0.02, 0.02, 2))


def frame_of(head: Head, place: Slice, pixels: int) -> Frame:
    """The head's coordinates of every pixel of a ``pixels`` x ``pixels`` image."""
    axis = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(2.0 / pixels) - np.float32(1.0)
    shift, tilt = (head.shift + place.shift).astype(np.float32), head.tilt + place.tilt
    x, y = axis[None, :] - shift[0], axis[:, None] - shift[1]
    cosine, sine = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    size = 1.0 - 0.05 * (place.level + 1.0)
    across = (cosine * x + sine * y) / np.float32(head.half_width * size)
    down = (cosine * y - sine * x) / np.float32(head.half_height * size)
    angle = np.arctan2(down, across)
    outline = 1.0 + sum(
        np.float32(amplitude) * np.cos(np.float32(order) * angle + np.float32(phase))
        for order, (amplitude, phase) in enumerate(head.wobble, start=2)
    )
    return Frame(
        across=_single(across),
        down=_single(down),
        radius=_single(np.hypot(across, down) / outline),
        angle=_single(angle),
    )


def draw_tissue(head: Head, place: Slice, frame: Frame) -> Field:
    """Scalp, skull, fluid, cortex with its sulci, white matter, deep grey nuclei, the fissure; no ventricles.

    Returns:
        Shape (H, W), brightness from 0 (air) to about 0.8.
    """
    white, grey = _WHITE, _WHITE + (_GREY - _WHITE) * head.contrast
    image = np.zeros_like(frame.radius)
    for radius, value in (
        (1.0, _SCALP),
        (1.0 - 0.06 * head.scalp, _SKULL),
        (BRAIN_RADIUS + 0.02, _FLUID),
        (BRAIN_RADIUS, grey),
    ):
        image = mix(image, value, below(frame.radius, radius))
    folds = _folds_of(head, place, frame)
    ribbon = np.minimum(BRAIN_RADIUS - 0.085 + 0.045 * folds, np.float32(BRAIN_RADIUS - 0.03))
    image = mix(image, white, below(frame.radius, ribbon, width=0.05))
    image = mix(image, grey, _deep_nuclei(frame))
    return mix(image, _FLUID, np.maximum(_sulci(frame, folds), _fissure(frame)))


def ventricle_distance(head: Head, frame: Frame, width: float) -> Field:
    """Signed distance to the wall of the lateral ventricles: negative inside.

    Args:
        head: Whose.
        frame: The slice's coordinates; a mass may have bent them.
        width: Relative width: 1 is usual.

    Returns:
        Shape (H, W), in head coordinates.
    """
    side = np.abs(frame.across) * (1.0 + np.float32(head.asymmetry) * np.sign(frame.across))
    path = [(across * (0.70 + 0.30 * width), down * (0.92 + 0.08 * width)) for across, down in _VENTRICLE_PATH]
    spine = distance_to_segment(side, frame.down, path[0], path[1])
    for start, end in pairwise(path[1:]):
        spine = np.minimum(spine, distance_to_segment(side, frame.down, start, end))
    horns = 1.0 + np.abs(frame.down)
    septum = np.float32(0.014) - np.abs(frame.across)
    return np.maximum(spine - np.float32(0.028 * width) * horns, septum)


def draw_ventricles(image: Field, distance: Field) -> Field:
    """The image with fluid where ``distance`` is negative."""
    return mix(image, _FLUID, below(distance, 0.0))


def mix(image: Field, value: float, amount: Field) -> Field:
    """``image`` where ``amount`` is 0, ``value`` where it is 1."""
    return image + (np.float32(value) - image) * amount


def below(field: Field, limit: Field | float, width: float = 0.02) -> Field:
    """1 where ``field`` is well below ``limit``, 0 where well above, a ramp of ``width`` between."""
    return _single(np.clip((limit - field) * np.float32(1.0 / width) + np.float32(0.5), 0.0, 1.0))


def bump(distance: Field) -> Field:
    """1 where ``distance`` is 0, a Gaussian's decline around."""
    return _single(np.exp(-np.square(distance)))


def distance_to_segment(across: Field, down: Field, start: tuple[float, float], end: tuple[float, float]) -> Field:
    """Distance of every pixel to a straight piece."""
    along = np.array([end[0] - start[0], end[1] - start[1]], dtype=np.float32)
    a, d = across - np.float32(start[0]), down - np.float32(start[1])
    share = np.clip((a * along[0] + d * along[1]) / np.float32(along @ along), 0.0, 1.0)
    return _single(np.hypot(a - share * along[0], d - share * along[1]))


def _single(field: NDArray[Any]) -> Field:
    """The same numbers as float32; no copy where they are that already."""
    return np.asarray(field, dtype=np.float32)


def _smooth_on_the_circle(noise: Field) -> Field:
    """Low-pass noise (depth, angle), scaled to a standard deviation of 1; the angle is periodic."""
    wide = cv2.copyMakeBorder(noise, 0, 0, 8, 8, cv2.BORDER_WRAP)
    smooth = cv2.GaussianBlur(wide, (0, 0), sigmaX=1.0, sigmaY=4.0)[:, 8:-8]
    return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)


def _folds_of(head: Head, place: Slice, frame: Frame) -> Field:
    """The slice's field of sulci at every pixel, standard deviation about 1."""
    turn = place.level * np.pi / 3
    field = np.float32(np.cos(turn)) * head.folds[0] + np.float32(np.sin(turn)) * head.folds[1]
    wide = cv2.copyMakeBorder(field, 0, 0, 2, 2, cv2.BORDER_WRAP)
    n_depths, n_angles = _FOLDS_SHAPE
    column = (frame.angle / np.float32(2 * np.pi) + np.float32(0.5)) * n_angles + 1.5
    row = frame.radius * np.float32(n_depths - 1)
    return _single(cv2.remap(wide, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def _sulci(frame: Frame, folds: Field) -> Field:
    """Dark lines where the field of folds changes sign, near the surface only."""
    depth = below(np.abs(frame.radius - np.float32(BRAIN_RADIUS - 0.07)), 0.10, width=0.06)
    return _single(0.75 * bump(folds / np.float32(0.22)) * depth)


def _fissure(frame: Frame) -> Field:
    """The dark line between the hemispheres, in front of and behind the ventricles."""
    far = below(-np.abs(frame.down), -0.36, width=0.1) * below(frame.radius, BRAIN_RADIUS)
    return _single(0.8 * bump(frame.across / np.float32(0.022)) * far)


def _deep_nuclei(frame: Frame) -> Field:
    """Thalamus and basal ganglia: two soft ellipses on each side."""
    side = np.abs(frame.across)
    front = np.hypot((side - 0.24) / 0.09, (frame.down + 0.10) / 0.16)
    back = np.hypot((side - 0.16) / 0.10, (frame.down - 0.12) / 0.11)
    return _single(0.8 * below(np.minimum(front, back), 1.0, width=0.4))
