"""One slice from start to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.data.phantoms import anatomy, findings
from ensemble.data.phantoms.plan import SplitPlan
from ensemble.data.phantoms.scan import scan
from ensemble.seeds import derive_seed

# Anatomy is drawn at this size or above and averaged down, as a thick pixel averages the tissue within it.
_LEAST_RENDERED_PIXELS = 128


def draw_phantom(plan: SplitPlan, row: int, *, pixels: int) -> NDArray[np.uint8]:
    """The picture of one row of a plan.

    Depends on the plan's seed and split, the row's patient, slice and strengths, and ``pixels``; never on the labels,
    and not on how many rows there are.

    Args:
        plan: Of the split.
        row: Which slice.
        pixels: Height and width.

    Returns:
        Shape (pixels, pixels), uint8.
    """
    patient, index = int(plan.patients[row]), int(plan.slices[row])
    head = anatomy.draw_head(_generator(plan, "head", patient))
    place = anatomy.draw_slice(_generator(plan, "slice", patient, index))
    rendered = pixels * -(-_LEAST_RENDERED_PIXELS // pixels)
    frame = anatomy.frame_of(head, place, rendered)
    lesions, wide_ventricles, mass = plan.strengths[row].tolist()
    ring = findings.place_mass(mass, _generator(plan, "mass", patient, index))
    bent = findings.pushed_aside(frame, ring)
    image = anatomy.draw_tissue(head, place, bent)
    image = findings.draw_lesions(image, bent, lesions, _generator(plan, "lesions", patient, index))
    image = findings.draw_mass(image, frame, ring)
    distance = anatomy.ventricle_distance(head, bent, findings.ventricle_width(wide_ventricles))
    image = anatomy.draw_ventricles(image, distance)
    return scan(image, frame, pixels, _generator(plan, "scan", patient, index))


def _generator(plan: SplitPlan, *names: str | int) -> np.random.Generator:
    """One stream for each purpose, so that more lesions do not move the noise."""
    return np.random.default_rng(derive_seed(plan.seed, "phantom drawing", plan.split, *names))
