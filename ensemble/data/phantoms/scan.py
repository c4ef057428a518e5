"""What a scanner adds to the anatomy: coil shading, blur, noise, and the window that makes it eight bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.data.phantoms.anatomy import Field, Frame


def scan(tissue: Field, frame: Frame, pixels: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shade, shrink to the image's size, blur, add noise, and map to grey levels.

    Args:
        tissue: Shape (R, R), brightness from 0 up; R a multiple of ``pixels``.
        frame: The coordinates of ``tissue``.
        pixels: Height and width of the result.
        rng: Of this slice.

    Returns:
        Shape (pixels, pixels), 0 to 255.
    """
    shaded = tissue * _coil_shading(frame, rng)
    small = cv2.resize(shaded, (pixels, pixels), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigmaX=pixels * rng.uniform(0.004, 0.009))
    noisy = _with_rician_noise(blurred, rng.uniform(0.018, 0.050), rng)
    gain, gamma = rng.uniform(0.85, 1.1), rng.uniform(0.85, 1.15)
    return np.asarray(np.rint(255.0 * np.clip(gain * noisy, 0.0, 1.0) ** np.float32(gamma)), dtype=np.uint8)


def _coil_shading(frame: Frame, rng: np.random.Generator) -> Field:
    """A smooth gain around 1: the exponential of a random quadratic."""
    slopes, bends = rng.normal(0.0, 0.07, 2), rng.normal(0.0, 0.05, 3)
    across, down = frame.across, frame.down
    exponent = slopes[0] * across + slopes[1] * down
    exponent = exponent + bends[0] * across * down + bends[1] * across**2 + bends[2] * down**2
    return np.asarray(np.exp(exponent), dtype=np.float32)


def _with_rician_noise(image: Field, spread: float, rng: np.random.Generator) -> Field:
    """The magnitude of a signal with equal noise in both channels of the receiver.

    Source: H. Gudbjartsson, S. Patz, "The Rician distribution of noisy MRI data", Magn. Reson. Med. 34 (1995).
    """
    real, imaginary = np.float32(spread) * rng.standard_normal((2, *image.shape), dtype=np.float32)
    return np.asarray(np.hypot(image + real, imaginary), dtype=np.float32)
