"""Whatever a recipe asks for, the quick transforms are albumentations' own, bit by bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.data.augment import build_augmentation
from ensemble.recipe import TransformSettings

SIZE = (33, 24)
BATCH = 6


def ordered(least, most):
    return st.tuples(st.floats(least, most), st.floats(least, most)).map(sorted).map(list)


@settings(max_examples=60, deadline=None)
@given(
    shift=ordered(-1, 1),
    scale=ordered(0.2, 3),
    degrees=ordered(-720, 720),
    p=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_any_settings_agree(shift, scale, degrees, p, seed):
    augment = [
        {"Affine": {"translate_percent": shift, "scale": scale, "rotate": degrees, "shear": shift, "p": p}},
        {"RandomBrightnessContrast": {"brightness_limit": shift, "contrast_limit": shift, "p": p}},
    ]
    augmentation = build_augmentation([TransformSettings.model_validate(part) for part in augment], SIZE)
    images = np.random.default_rng(seed).integers(0, 256, (BATCH, *SIZE)).astype(np.uint8)
    expected = np.stack([augmentation(image, (seed, 1, sample)) for sample, image in enumerate(images.copy())])
    np.testing.assert_array_equal(augmentation.batch(images, (seed, 1), list(range(BATCH))), expected)
