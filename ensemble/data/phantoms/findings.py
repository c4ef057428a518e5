"""The three findings. Each is drawn with a strength from 0 (not there) to 1; nothing else of it follows the strength.

Where and in what shape a finding lies is random; how large and how bright it is follows from the strength alone, so
that the strength can be read off the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ensemble.data.phantoms.anatomy import Field, Frame, bump, mix

_LESION_PATHS = ((0.13, -0.36), (0.12, -0.10), (0.19, 0.12), (0.22, 0.34))
_MAX_LESIONS = 7


@dataclass(frozen=True)
class Mass:
    """Place and shape of a ring-like mass.

    Attributes:
        across: Centre, in head coordinates.
        down: Likewise.
        flattening: Ratio of its two axes.
        angle: Of the longer axis, in radians.
        ripple: Phase of the ring's irregularity.
        strength: 0 to 1.
    """

    across: float
    down: float
    flattening: float
    angle: float
    ripple: float
    strength: float

    @property
    def radius(self) -> float:
        """Of the ring, in head coordinates."""
        return 0.08 + 0.10 * self.strength


def ventricle_width(strength: float) -> float:
    """Relative width of the ventricles (class 2): 0.9 without the finding, 2.6 at full strength."""
    return 0.9 + 1.7 * strength


def draw_lesions(image: Field, frame: Frame, strength: float, rng: np.random.Generator) -> Field:
    """Bright lesions in the white matter beside the ventricles (class 1): more, larger and brighter with strength."""
    stain = np.zeros_like(image)
    for _ in range(round(_MAX_LESIONS * strength)):
        stain = np.maximum(stain, _one_lesion(frame, strength, rng))
    return image + np.float32(0.08 + 0.32 * strength) * stain


def _one_lesion(frame: Frame, strength: float, rng: np.random.Generator) -> Field:
    """Shape (H, W), 1 inside, a soft rim."""
    start = int(rng.integers(len(_LESION_PATHS) - 1))
    along, side = rng.random(), rng.choice([-1.0, 1.0])
    (a0, d0), (a1, d1) = _LESION_PATHS[start : start + 2]
    across = side * (a0 + along * (a1 - a0) + rng.uniform(0.02, 0.16))
    down = d0 + along * (d1 - d0) + rng.uniform(-0.05, 0.05)
    radius = (0.028 + 0.036 * strength) * rng.uniform(0.8, 1.25)
    distance = _ellipse(frame, (across, down), flattening=rng.uniform(0.6, 1.0), angle=rng.uniform(0.0, np.pi))
    return bump(np.square(distance / np.float32(radius)))


def place_mass(strength: float, rng: np.random.Generator) -> Mass:
    """Somewhere between ventricle and cortex, on either side (class 3)."""
    direction = rng.uniform(-1.1, 1.1)
    distance = rng.uniform(0.46, 0.56)
    return Mass(
        across=float(rng.choice([-1.0, 1.0]) * distance * np.cos(direction)),
        down=float(distance * np.sin(direction)),
        flattening=rng.uniform(0.75, 1.0),
        angle=rng.uniform(0.0, np.pi),
        ripple=rng.uniform(0.0, 2 * np.pi),
        strength=strength,
    )


def pushed_aside(frame: Frame, mass: Mass) -> Frame:
    """The frame as a mass bends it: the midline moves away from it, the outline of the head does not."""
    near = np.exp(-(np.square(frame.down - np.float32(mass.down)) / 0.18 + np.square(frame.across) / 0.25))
    push = np.float32(np.sign(mass.across) * 0.11 * mass.strength) * near
    return replace(frame, across=frame.across + push)


def draw_mass(image: Field, frame: Frame, mass: Mass) -> Field:
    """A bright ring around a dark core, in a faint halo of oedema: larger and brighter with strength."""
    ripple = np.cos(np.float32(3.0) * np.arctan2(frame.down - mass.down, frame.across - mass.across) + mass.ripple)
    distance = _ellipse(frame, (mass.across, mass.down), flattening=mass.flattening, angle=mass.angle)
    distance = distance * (1.0 + 0.05 * ripple)
    strength, radius = np.float32(mass.strength), np.float32(mass.radius)
    halo = bump(distance / (2.2 * radius)) * (0.19 * strength)
    core = bump(np.square(distance / (0.8 * radius))) * (0.8 * strength)
    ring = bump((distance - radius) / (0.028 + 0.015 * strength))
    lit = mix(image + halo, 0.20, core) + ring * (1.0 + 0.35 * ripple) * (0.42 * strength)
    return np.asarray(lit, dtype=np.float32)


def _ellipse(frame: Frame, centre: tuple[float, float], *, flattening: float, angle: float) -> Field:
    """Distance from ``centre`` in units along the longer axis; level lines are ellipses."""
    across, down = frame.across - np.float32(centre[0]), frame.down - np.float32(centre[1])
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    long, short = cosine * across + sine * down, (cosine * down - sine * across) / np.float32(flattening)
    return np.asarray(np.hypot(long, short), dtype=np.float32)
