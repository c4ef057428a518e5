"""The quick transforms are albumentations' own, bit by bit: the same numbers drawn, the same pixels."""

from __future__ import annotations

import numpy as np
import pytest

from ensemble.data import quick
from ensemble.data.augment import Augmentation, build_augmentation
from ensemble.data.transforms import build_transform
from ensemble.recipe import TransformSettings, load_recipe
from ensemble.recipe_files import list_recipes

SIZE = (33, 24)
BATCH = 40


def transform(name, **args):
    return TransformSettings(name=name, args=args)


QUICK = {
    "flips": [transform("HorizontalFlip", p=0.5), transform("VerticalFlip", p=0.3)],
    "recipes": [
        transform("HorizontalFlip", p=0.5),
        transform("Affine", rotate=[-10, 10], scale=[0.9, 1.1], translate_percent=[-0.05, 0.05], p=0.7),
        transform("RandomBrightnessContrast", brightness_limit=0.1, contrast_limit=0.2, p=0.5),
    ],
    "affine, nothing set": [transform("Affine", p=1)],
    "affine in pixels": [transform("Affine", translate_px={"x": [-3, 5], "y": [0, 2]}, shear=[-20, 20], p=0.9)],
    "affine by axis": [
        transform("Affine", scale={"x": [0.5, 2], "y": 1.2}, shear={"x": 5, "y": [-9, 9]}, rotate=[-400, 400], p=1)
    ],
    "affine, one scale": [transform("Affine", scale=[0.7, 1.3], keep_ratio=True, p=1)],
    "affine, filled": [transform("Affine", translate_percent=0.3, fill=77, p=1)],
    "affine, reflected": [transform("Affine", translate_percent=0.3, border_mode=4, interpolation=2, p=1)],
    "affine, nearest": [transform("Affine", rotate=[-90, 90], interpolation=0, p=1)],
    "shift": [transform("ShiftScaleRotate", p=0.8)],
    "rotate": [transform("Rotate", limit=30, p=0.8), transform("Rotate", limit=[90, 90], border_mode=1, p=1)],
    "contrast": [transform("RandomBrightnessContrast", brightness_limit=[-1, 1], contrast_limit=[-1, 1], p=1)],
    "never and always": [transform("HorizontalFlip", p=0), transform("VerticalFlip", p=1)],
}
PARTLY = {
    "a slow one last": [*QUICK["recipes"], transform("GaussNoise", p=0.7), transform("CoarseDropout", p=0.5)],
    "a slow one between": [QUICK["flips"][0], transform("GaussNoise", p=0.7), *QUICK["recipes"]],
    "other settings": [
        transform("Affine", scale=[0.7, 1.3], balanced_scale=True, p=1),
        transform("RandomBrightnessContrast", brightness_by_max=False, p=1),
        transform("RandomBrightnessContrast", ensure_safe_range=True, p=1),
    ],
    "a choice": [transform("OneOf", transforms=[{"HorizontalFlip": {"p": 1}}, {"Affine": {"shear": [-5, 5]}}], p=0.9)],
    "none": [],
}


def images_of(dtype):
    images = np.random.default_rng(0).integers(0, 256, (BATCH, *SIZE)).astype(np.uint8)
    return images if dtype == np.uint8 else (images / np.float32(255)).astype(np.float32)


def assert_equal_to_albumentations(augmentation: Augmentation, images, seed=3, epoch=1):
    samples = list(range(100, 100 + len(images)))
    expected = np.stack(
        [augmentation(image, (seed, epoch, n)) for image, n in zip(images.copy(), samples, strict=True)]
    )
    got = augmentation.batch(images.copy(), (seed, epoch), samples)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", [*QUICK, *PARTLY])
def test_a_batch_is_what_albumentations_makes_of_each_image(name, dtype):
    augment = {**QUICK, **PARTLY}[name]
    assert_equal_to_albumentations(build_augmentation(augment, SIZE), images_of(dtype))


@pytest.mark.parametrize("name", QUICK)
def test_these_are_quick(name):
    assert all(quick.quick_version(build_transform(settings), SIZE) is not None for settings in QUICK[name])
    changed = build_augmentation(QUICK[name], SIZE).batch(images_of(np.uint8), (0, 0), list(range(BATCH)))
    assert name == "affine, nothing set" or (changed != images_of(np.uint8)).any()


def test_every_recipe_that_ships_is_quick_throughout():
    names = [recipe.path for recipe in list_recipes()]
    used = {settings.name for path in names for settings in load_recipe(path).augment}
    assert used
    assert used <= {"HorizontalFlip", "Affine", "RandomBrightnessContrast"}


@pytest.mark.parametrize(
    "settings",
    [
        transform("Affine", fit_output=True),
        transform("Affine", balanced_scale=True),
        transform("Rotate", crop_border=True),
        transform("RandomBrightnessContrast", brightness_by_max=False),
        transform("GaussNoise"),
    ],
)
def test_other_settings_are_left_to_albumentations(settings):
    assert quick.quick_version(build_transform(settings), SIZE) is None
