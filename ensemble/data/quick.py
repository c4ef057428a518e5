"""Frequent transforms of albumentations over a whole batch: the same numbers drawn, the same pixels, less work.

albumentations spends 100 µs and more an image on its own book-keeping, several times what flips and warps of 64 × 64
pixels take. What is drawn for an image, and what becomes of it, must stay what albumentations 2.0.8 makes of them, bit
by bit: tests hold the one against the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8] | NDArray[np.float32]


class QuickTransform(Protocol):
    """One transform, in two steps."""

    def draw(self, stream: random.Random) -> tuple[float, ...] | None:
        """One image's numbers, or None where the image is left alone."""

    def apply(self, images: Images, numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        """Change those images of a batch that are not left alone, in place.

        Args:
            images: Shape (B, H, W), uint8 or float32 in [0, 1].
            numbers: Shape (n, …): a row for each image that is changed.
            rows: Which of the B these are.
        """


def quick_version(transform: Any, image_size: tuple[int, int]) -> QuickTransform | None:
    """The quick version of one of albumentations' transforms; None where there is none for it or its settings.

    Args:
        transform: As ``build_transform`` gives it.
        image_size: Height and width of the images, in pixels.
    """
    build = _BUILDERS.get(type(transform).__name__)
    return None if build is None else build(transform, image_size)


def _applies(p: float, stream: random.Random) -> bool:
    return p > 0 and (p >= 1 or stream.random() < p)


class _Flip:
    def __init__(self, p: float, code: int) -> None:
        self._p, self._code = p, code

    def draw(self, stream: random.Random) -> tuple[float, ...] | None:
        return () if _applies(self._p, stream) else None

    def apply(self, images: Images, _numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        for row in rows:
            images[row] = cv2.flip(images[row], self._code)


class _Affine:
    """``Affine`` and its special cases, where the image's size stays."""

    def __init__(self, transform: Any, image_size: tuple[int, int]) -> None:
        self._p = transform.p
        self._height, self._width = image_size
        self._pixels, self._fractions = transform.translate_px, transform.translate_percent
        self._shear, self._scale, self._rotate = transform.shear, transform.scale, transform.rotate
        self._keep_ratio = transform.keep_ratio
        self._warp = _Warp(transform, image_size)

    def draw(self, stream: random.Random) -> tuple[float, ...] | None:
        if not _applies(self._p, stream):
            return None
        x, y = self._translation(stream)
        shear_x = -stream.uniform(*self._shear["x"])
        shear_y = -stream.uniform(*self._shear["y"])
        scale = {axis: stream.uniform(*limits) for axis, limits in self._scale.items()}
        scale_y = scale["x"] if self._keep_ratio else scale["y"]
        return x, y, shear_x, shear_y, scale["x"], scale_y, stream.uniform(*self._rotate) % 360

    def _translation(self, stream: random.Random) -> tuple[int, int]:
        if self._pixels is not None:
            x, y = self._pixels["x"], self._pixels["y"]
            return stream.randint(int(x[0]), int(x[1])), stream.randint(int(y[0]), int(y[1]))
        drawn = {axis: stream.uniform(*limits) for axis, limits in self._fractions.items()}
        return int(drawn["x"] * self._width), int(drawn["y"] * self._height)

    def apply(self, images: Images, numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        self._warp(images, numbers, rows)


class _Rotate:
    def __init__(self, transform: Any, image_size: tuple[int, int]) -> None:
        self._p, self._limit = transform.p, transform.limit
        self._warp = _Warp(transform, image_size)

    def draw(self, stream: random.Random) -> tuple[float, ...] | None:
        return (0, 0, 0, 0, 1, 1, stream.uniform(*self._limit) % 360) if _applies(self._p, stream) else None

    def apply(self, images: Images, numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        self._warp(images, numbers, rows)


class _Warp:
    """Affine maps about the image's centre."""

    def __init__(self, transform: Any, image_size: tuple[int, int]) -> None:
        height, width = image_size
        self._size = width, height
        self._centre = width / 2 - 0.5, height / 2 - 0.5
        self._interpolation, self._border = transform.interpolation, transform.border_mode
        self._fill = [transform.fill] if isinstance(transform.fill, float) else transform.fill

    def __call__(self, images: Images, numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        matrices = _affine_matrices(numbers, self._centre)
        moves = ~np.isclose(matrices, np.eye(3)).all(axis=(1, 2))
        for row, matrix in zip(np.asarray(rows)[moves].tolist(), matrices[moves, :2], strict=True):
            images[row] = cv2.warpAffine(
                images[row],
                matrix,
                self._size,
                flags=self._interpolation,
                borderMode=self._border,
                borderValue=self._fill,
            )


def _affine_matrices(numbers: NDArray[np.float64], centre: tuple[float, float]) -> NDArray[np.float64]:
    """Shape (n, 3, 3): to the origin, scale, rotate, shear, move, and back.

    Args:
        numbers: Shape (n, 7): x and y in pixels, shear of x and y in degrees, scale of x and y, rotation in degrees.
        centre: x and y of the image's middle, in pixels.

    Source: ``create_affine_transformation_matrix`` of albumentations 2.0.8, whose order of products is kept.
    """
    x, y, shear_x, shear_y, scale_x, scale_y, rotation = numbers.T
    angle = np.deg2rad(rotation)
    back, there = (
        _eyes(1, ((0, 2), centre[0]), ((1, 2), centre[1])),
        _eyes(1, ((0, 2), -centre[0]), ((1, 2), -centre[1])),
    )
    move = _eyes(len(x), ((0, 2), x), ((1, 2), y))
    shear = _eyes(len(x), ((0, 1), np.tan(np.deg2rad(shear_x))), ((1, 0), np.tan(np.deg2rad(shear_y))))
    cosine, sine = np.cos(angle), np.sin(angle)
    rotate = _eyes(len(x), ((0, 0), cosine), ((0, 1), sine), ((1, 0), -sine), ((1, 1), cosine))
    scale = _eyes(len(x), ((0, 0), scale_x), ((1, 1), scale_y))
    matrices: NDArray[np.float64] = back @ move @ shear @ rotate @ scale @ there
    matrices[:, 2] = 0, 0, 1
    return matrices


def _eyes(n: int, *entries: tuple[tuple[int, int], NDArray[np.float64] | float]) -> NDArray[np.float64]:
    """Shape (n, 3, 3): identities with some entries replaced."""
    matrices = np.tile(np.eye(3), (n, 1, 1))
    for (line, column), values in entries:
        matrices[:, line, column] = values
    return matrices


class _BrightnessContrast:
    """``value × alpha + beta``, cut to the range."""

    def __init__(self, transform: Any) -> None:
        self._p = transform.p
        self._contrast, self._brightness = transform.contrast_limit, transform.brightness_limit

    def draw(self, stream: random.Random) -> tuple[float, ...] | None:
        if not _applies(self._p, stream):
            return None
        alpha = 1.0 + stream.uniform(*self._contrast)
        return alpha, stream.uniform(*self._brightness)

    def apply(self, images: Images, numbers: NDArray[np.float64], rows: Sequence[int]) -> None:
        if images.dtype == np.uint8:
            steps = np.arange(256, dtype=np.float32)
            scaled = steps * numbers[:, :1].astype(np.float32) + (numbers[:, 1:] * 255).astype(np.float32)
            tables = np.clip(scaled, 0, 255).astype(np.uint8)
            for row, table in zip(rows, tables, strict=True):
                images[row] = cv2.LUT(images[row], table)
            return
        for row, (alpha, beta) in zip(rows, numbers, strict=True):
            scaled = images[row].astype(np.float64) * np.float32(alpha) + beta
            images[row] = np.clip(scaled, 0, 1)


def _horizontal_flip(transform: Any, _image_size: tuple[int, int]) -> QuickTransform:
    return _Flip(transform.p, 1)


def _vertical_flip(transform: Any, _image_size: tuple[int, int]) -> QuickTransform:
    return _Flip(transform.p, 0)


def _affine(transform: Any, image_size: tuple[int, int]) -> QuickTransform | None:
    return None if transform.fit_output or transform.balanced_scale else _Affine(transform, image_size)


def _rotate(transform: Any, image_size: tuple[int, int]) -> QuickTransform | None:
    return None if transform.crop_border else _Rotate(transform, image_size)


def _brightness_contrast(transform: Any, _image_size: tuple[int, int]) -> QuickTransform | None:
    by_mean = not transform.brightness_by_max
    return None if by_mean or transform.ensure_safe_range else _BrightnessContrast(transform)


_BUILDERS: Mapping[str, Callable[[Any, tuple[int, int]], QuickTransform | None]] = {
    "HorizontalFlip": _horizontal_flip,
    "VerticalFlip": _vertical_flip,
    "Affine": _affine,
    "ShiftScaleRotate": _affine,
    "Rotate": _rotate,
    "RandomBrightnessContrast": _brightness_contrast,
}
