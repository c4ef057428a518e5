import multiprocessing
import os
import pickle
import random

import numpy as np
import pytest

from ensemble.data.augment import Augmentation, _Stream, build_augmentation, check_augmentation
from ensemble.errors import RecipeError
from ensemble.recipe import TransformSettings

SIZE = (32, 40)


def transform(name, **args):
    return TransformSettings(name=name, args=args)


USUAL = (transform("HorizontalFlip", p=0.5), transform("Affine", rotate=[-10, 10], scale=[0.9, 1.1], p=0.7))
RICH = (
    *USUAL,
    transform("OneOf", transforms=[{"GaussNoise": {"std_range": [0.05, 0.1]}}, "ElasticTransform"], p=0.9),
    transform("CoarseDropout", p=0.5),
)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)


def outputs(augmentation: Augmentation, image, keys) -> dict:
    return {key: augmentation(image, key).tobytes() for key in keys}


KEYS = [(seed, epoch, sample) for seed in (0, 1) for epoch in (0, 1, 2) for sample in (0, 1, 5, 10**6)]


def test_the_key_alone_decides(image):
    there = outputs(build_augmentation(RICH, SIZE), image, KEYS)
    back = outputs(build_augmentation(RICH, SIZE), image, KEYS[::-1])
    assert there == back


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_other_processes_get_the_same(image, method):
    context = multiprocessing.get_context(method)
    augmentation = build_augmentation(RICH, SIZE)
    augmentation(image, (9, 9, 9))
    with context.Pool(1) as pool:
        there = pool.starmap_async(augmentation, [(image, key) for key in KEYS]).get(timeout=100)
    assert {key: changed.tobytes() for key, changed in zip(KEYS, there, strict=True)} == outputs(
        augmentation, image, KEYS
    )


def test_keys_differ_in_every_part(image):
    augmentation = build_augmentation(RICH, SIZE)
    assert len(set(outputs(augmentation, image, KEYS).values())) == len(KEYS)


def test_pickled_and_back(image):
    augmentation = build_augmentation(RICH, SIZE)
    again = pickle.loads(pickle.dumps(augmentation))
    assert outputs(again, image, KEYS) == outputs(augmentation, image, KEYS)


def test_the_restarted_stream_is_a_fresh_one():
    stream = _Stream()
    for seed in (2**63 - 1, 3):
        stream.restart(seed)
        fresh = np.random.Generator(np.random.Philox(key=seed))
        for draw in (lambda g: g.random(), lambda g: g.integers(0, 9, dtype=np.uint32), lambda g: g.normal(size=3)):
            np.testing.assert_array_equal(draw(stream.generator), draw(fresh))
        assert stream.python.random() == random.Random(seed).random()  # noqa: S311
        stream.python.gauss()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shape_type_and_range_stay(image, dtype):
    given = image if dtype == np.uint8 else (image / 255).astype(np.float32)
    augmentation = build_augmentation(RICH, SIZE)
    for key in KEYS:
        got = augmentation(given, key)
        assert (got.shape, got.dtype) == (SIZE, dtype)
        assert got.min() >= 0
        assert got.max() <= (255 if dtype == np.uint8 else 1)


def test_no_transforms_leave_the_image(image):
    np.testing.assert_array_equal(build_augmentation((), SIZE)(image, (0, 0, 0)), image)


def test_a_change_of_size_in_training_is_an_error(image):
    augmentation = build_augmentation([transform("CenterCrop", height=8, width=8, p=1)], SIZE)
    with pytest.raises(RecipeError, match=r"expected a uint8 image of 32 × 40 .* got a uint8 image of 8 × 8"):
        augmentation(image, (0, 0, 0))


def test_the_look_for_newer_versions_is_off():
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


def test_good_ones_pass():
    assert check_augmentation(RICH, SIZE) == []
    assert check_augmentation([transform("RandomResizedCrop", size=[32, 40], scale=[0.8, 1])], SIZE) == []
    assert check_augmentation([transform("NoOp"), transform("GaussNoise", p=0)], SIZE) == []
    assert check_augmentation([transform("ShiftScaleRotate")], SIZE) == []  # albumentations advises against it


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (transform("HorizontalFlp"), "HorizontalFlp: .* no such transform; did you mean 'HorizontalFlip'?"),
        (transform("Compose", transforms=["D4"]), "Compose: albumentations has no such transform"),
        (transform("cv2"), "cv2: albumentations has no such transform"),
        (transform("Lambda"), "Lambda: this transform cannot be used from a recipe"),
        (transform("Affine", rotat=3), "Affine: unknown argument 'rotat'; did you mean 'rotate'?"),
        (transform("HorizontalFlip", q=1, zz=2), "unknown argument 'q', 'zz'; expected some of p"),
        (transform("OneOf", transforms=["D4"], prob=1), "OneOf: unknown argument 'prob'"),
        (transform("Affine", rotate="x"), "Affine: rotate: Input should be a valid tuple or Input should be"),
        (
            transform("Affine", p=2, scale=[1, "a"]),
            "p: Input should be less than or equal to 1.*; scale: |scale.*; p: ",
        ),
        (transform("ISONoise"), "ISONoise: fails on a uint8 image of 32 × 40: .* 3-channel"),
        (transform("ChannelDropout"), "ChannelDropout: fails on a uint8 image of 32 × 40"),
        (transform("ToRGB"), "ToRGB: makes a uint8 image of 32 × 40 × 3 of a uint8 image of 32 × 40"),
        (transform("Normalize"), "Normalize: makes a float32 image of 32 × 40 of a uint8 image"),
        (transform("ToTensorV2"), "ToTensorV2: makes a Tensor of a uint8 image"),
        (transform("Transpose"), "Transpose: makes a uint8 image of 40 × 32 of a uint8 image of 32 × 40"),
        (transform("RandomScale"), "RandomScale: makes .* size and type must stay"),
        (transform("ToGray"), "ToGray: changes nothing on images of one channel"),
        (transform("RandomCrop", height=160, width=160), "RandomCrop: fails on a uint8 image of 32 × 40: Crop size"),
        (transform("MaskDropout"), "MaskDropout: fails on"),
        (transform("OneOf", transforms=["D4", "ISONoise"]), "OneOf of D4: makes"),
        (transform("OneOf", transforms=["ISONoise"]), "OneOf of ISONoise: fails on"),
        (transform("OneOf"), r"OneOf: expected transforms: \[...\], a list of at least one"),
        (transform("OneOf", transforms=["a.b"]), "OneOf: transforms: expected one transform as"),
        (transform("OneOf", transforms=[{"GaussNoise": {"p": 0}}]), "OneOf: .*division|OneOf: .*zero"),
    ],
)
def test_refusals(settings, problem):
    problems = check_augmentation([transform("NoOp"), settings], SIZE)
    assert problems
    assert problems[0].startswith("transform 2, ")
    with pytest.raises(RecipeError, match=problem):
        raise RecipeError(problems[0])


def test_building_refuses_too():
    with pytest.raises(RecipeError, match="no such transform"):
        build_augmentation([transform("Nothing")], SIZE)


def test_every_wrong_transform_is_named():
    problems = check_augmentation([transform("ToRGB"), transform("ISONoise"), transform("Affin")], SIZE)
    assert [problem.split(":")[0] for problem in problems] == [
        "transform 1, ToRGB",
        "transform 2, ISONoise",
        "transform 3, Affin",
    ]


def test_types_that_are_not_used_need_not_work():
    only_bytes = [transform("Normalize")]
    assert check_augmentation(only_bytes, SIZE, dtypes=[np.float32]) == []
    assert check_augmentation(only_bytes, SIZE, dtypes=[np.uint8])


def test_a_transform_that_fails_on_an_image_is_named():
    augmentation = build_augmentation([transform("GaussianBlur", p=1.0)], SIZE)

    class Blur:
        def __call__(self, image):
            raise ValueError("no such kernel")

    augmentation._transforms = [Blur()]
    with pytest.raises(RecipeError, match=r"augment: Blur fails for \(seed, epoch, row\) \(0, 1, 5\): no such kernel"):
        augmentation.batch(np.zeros((1, *SIZE), np.uint8), (0, 1), [5])
