"""One picture of many slices, a row for each combination of labels, to look at what a dataset holds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.data.phantoms.draw import draw_phantom
from ensemble.data.phantoms.plan import CLASS_NAMES, SplitPlan, plan_split
from ensemble.errors import DataError
from ensemble.files import atomic_write

_CANDIDATES = 1_500
_MARGIN = 84
_GAP = 2
_GREY_LEVELS = 32  # enough to look at, and a third of the bytes


def write_sheet(path: Path, *, seed: int = 0, pixels: int = 96, columns: int = 5) -> Path:
    """Write a contact sheet as a PNG: slices of the training split by their labels.

    Slices whose labels are the likely ones come first: a label is drawn, so it can contradict the picture.

    Args:
        path: Ends in ``.png``.
        seed: Of the phantoms.
        pixels: Height and width of one slice.
        columns: Slices a row, each of another patient.

    Raises:
        DataError: ``path`` does not end in ``.png``.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: expected a file name that ends in .png for the contact sheet")
    plan = plan_split("train", _CANDIDATES, seed=seed)
    combinations = np.unique(plan.labels, axis=0)
    sheet = np.vstack([_row(plan, labels, pixels, columns) for labels in combinations])
    step = 256 // _GREY_LEVELS
    sheet = sheet // step * step
    _, encoded = cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with atomic_write(path) as stream:
        stream.write(encoded.tobytes())
    return path


def _row(plan: SplitPlan, labels: NDArray[np.bool_], pixels: int, columns: int) -> NDArray[np.uint8]:
    """One combination's caption and slices."""
    rows = np.flatnonzero((plan.labels == labels).all(axis=1))
    _, first_of_patient = np.unique(plan.patients[rows], return_index=True)
    rows = rows[first_of_patient]
    chances = np.where(labels, plan.probabilities[rows], 1.0 - plan.probabilities[rows]).prod(axis=1)
    chosen = rows[np.argsort(chances < 0.5, kind="stable")][:columns]
    strip = np.zeros((pixels + _GAP, _MARGIN + columns * (pixels + _GAP)), dtype=np.uint8)
    for line, text in enumerate(_caption(labels)):
        cv2.putText(strip, text, (8, 24 + 20 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1, cv2.LINE_AA)
    for column, row in enumerate(chosen):
        left = _MARGIN + column * (pixels + _GAP)
        strip[:pixels, left : left + pixels] = draw_phantom(plan, int(row), pixels=pixels)
    return strip


def _caption(labels: NDArray[np.bool_]) -> list[str]:
    return [name for name, positive in zip(CLASS_NAMES, labels, strict=True) if positive] or ["no finding"]
