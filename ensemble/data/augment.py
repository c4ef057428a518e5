"""Augmentation by albumentations' transforms, as a pure function of the image and (seed, epoch, sample).

Left alone, albumentations 2.0.8 repeats the same changes in every epoch of forked workers. Here every image gets a
random stream of its own, so neither the number of workers, nor how they start, nor a restart can change what is
trained on.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ensemble.data.quick import Images, QuickTransform, quick_version
from ensemble.data.transforms import CONTAINERS, FAILURES, build_transform, parts_of, reason_of
from ensemble.errors import RecipeError
from ensemble.recipe.schema import TransformSettings
from ensemble.seeds import derive_seed

Image = TypeVar("Image", NDArray[np.uint8], NDArray[np.float32])
Key = tuple[int, int, int]

_TRIES = 4


class Augmentation:
    """A recipe's transforms, one after the other.

    ``batch`` is the quick way, used while training; called with one image, all of it is albumentations' own work. Both
    give the same pixels.

    It can be sent to worker processes, however they start: it travels as settings and is built anew there. One
    instance serves one thread.
    """

    def __init__(self, augment: Sequence[TransformSettings], image_size: tuple[int, int]) -> None:
        self._settings = tuple(augment)
        self._image_size = image_size
        self._transforms = [build_transform(settings) for settings in self._settings]
        self._head = _leading_quick(self._transforms, image_size)
        self._stream = _Stream()
        for transform in self._transforms:
            transform.set_random_state(self._stream.generator, self._stream.python)

    def batch(self, images: Images, key: tuple[int, int], samples: Sequence[int]) -> Images:
        """The images, each changed as ``key`` and its own number decide.

        Args:
            images: Shape (B, H, W), as for one image; changed in place.
            key: The run's seed and the epoch.
            samples: The B samples' numbers.

        Returns:
            ``images``.

        Raises:
            RecipeError: As for one image.
        """
        seeds = [derive_seed(key[0], "augment", key[1], sample) for sample in samples]
        numbers = []
        for seed in seeds:
            self._stream.restart_python(seed)
            numbers.append([version.draw(self._stream.python) for version in self._head])
        for version, drawn in zip(self._head, zip(*numbers, strict=True), strict=True):
            rows = [row for row, of_image in enumerate(drawn) if of_image is not None]
            if rows:
                version.apply(images, np.array([drawn[row] for row in rows], dtype=np.float64), rows)
        if len(self._head) < len(self._transforms):
            for row, sample in enumerate(samples):
                images[row] = self._finish(images[row], seeds[row], (*key, sample))
        return images

    def _finish(self, image: Image, seed: int, key: Key) -> Image:
        """What follows the quick transforms, with the stream where it stands after them."""
        self._stream.restart(seed)
        for version in self._head:
            version.draw(self._stream.python)
        return self._apply(self._transforms[len(self._head) :], image, key)

    def __call__(self, image: Image, key: Key) -> Image:
        """The image, changed as ``key`` alone decides.

        Args:
            image: Shape (H, W), the recipe's image size: uint8 in 0..255, or float32 in [0, 1]. The result may share
                its memory.
            key: The run's seed, the epoch, and the sample's number.

        Returns:
            The same shape, dtype and range.

        Raises:
            RecipeError: A transform failed, or changed the size or the type: the trial before training did not bring
                that out.
        """
        self._stream.restart(derive_seed(key[0], "augment", *key[1:]))
        return self._apply(self._transforms, image, key)

    def _apply(self, transforms: Sequence[Any], image: Image, key: Key) -> Image:
        changed = image
        for transform in transforms:
            try:
                changed = transform(image=changed)["image"]
            except FAILURES as error:
                name = type(transform).__name__
                raise RecipeError(f"augment: {name} fails for (seed, epoch, row) {key}: {reason_of(error)}") from error
        if changed.shape != self._image_size or changed.dtype != image.dtype:
            wanted, got = _describe(image), _describe(changed)
            raise RecipeError(f"augment: expected {wanted} from the transforms, got {got} for (seed, epoch, row) {key}")
        return changed

    def __reduce__(self) -> tuple[Any, ...]:
        return build_augmentation, (self._settings, self._image_size)


def _leading_quick(transforms: Sequence[Any], image_size: tuple[int, int]) -> list[QuickTransform]:
    """Quick versions of the first transforms, up to one that has none."""
    head = []
    for transform in transforms:
        version = quick_version(transform, image_size)
        if version is None:
            break
        head.append(version)
    return head


class _Stream:
    """NumPy's and Python's random numbers, both restarted by one integer.

    Setting a Philox generator's state is ten times as fast as making a new generator, and gives the same numbers.
    """

    def __init__(self) -> None:
        self._philox = np.random.Philox(key=0)
        self._fresh = self._philox.state
        self.generator = np.random.Generator(self._philox)
        self.python = random.Random(0)  # noqa: S311 - augmentation, not secrets

    def restart(self, seed: int) -> None:
        """Go on as ``Philox(key=seed)`` and ``random.Random(seed)`` begin."""
        self._fresh["state"]["key"][0] = seed
        self._philox.state = self._fresh
        self.restart_python(seed)

    def restart_python(self, seed: int) -> None:
        """Python's alone, where NumPy's are not drawn from."""
        self.python.seed(seed)


def build_augmentation(augment: Sequence[TransformSettings], image_size: tuple[int, int]) -> Augmentation:
    """Build a recipe's transforms; ``check_augmentation`` tries them.

    Args:
        augment: Transforms by name, in order.
        image_size: (height, width) of the images.

    Raises:
        RecipeError: albumentations has no such transform, or it refuses its arguments.
    """
    return Augmentation(augment, image_size)


def check_augmentation(
    augment: Sequence[TransformSettings],
    image_size: tuple[int, int],
    *,
    dtypes: Sequence[DTypeLike] = (np.uint8, np.float32),
) -> list[str]:
    """Try each transform on one-channel stand-ins of the real size.

    Args:
        augment: Transforms by name, in order.
        image_size: (height, width) of the images.
        dtypes: Of the images: uint8, and float32 in [0, 1] for files of 16 bits.

    Returns:
        What is wrong, a sentence each: unknown names or arguments, transforms that fail, change an image's size or
        type, make it NaN, do not repeat under the same key, or never change anything on one channel.
    """
    return [
        f"transform {number}, {problem}"
        for number, settings in enumerate(augment, start=1)
        for problem in _problems(settings, image_size, dtypes)
    ]


def _problems(settings: TransformSettings, image_size: tuple[int, int], dtypes: Sequence[DTypeLike]) -> list[str]:
    try:
        transform = build_transform(settings)
        inner = parts_of(settings) if settings.name in CONTAINERS else []
    except RecipeError as error:
        return [str(error)]
    problems = [problem for part in inner for problem in _problems(part, image_size, dtypes)]
    if problems:
        return [f"{settings.name} of {problem}" for problem in problems]
    reason = next(_complaints(transform, image_size, dtypes), None)
    return [] if reason is None else [f"{settings.name}: {reason}"]


def _complaints(transform: Any, image_size: tuple[int, int], dtypes: Sequence[DTypeLike]) -> Iterator[str]:
    """Why the transform cannot be used; nothing where it can."""
    stream = _Stream()
    transform.set_random_state(stream.generator, stream.python)
    changes = type(transform).__name__ == "NoOp" or transform.p == 0
    for image in _stand_ins(image_size, dtypes):
        results = []
        for seed in [*range(_TRIES), 0]:
            stream.restart(seed)
            try:
                results.append(_forced(transform, image))
            except FAILURES as error:
                yield f"fails on {_describe(image)}: {reason_of(error)}"
                return
            if _describe(results[-1]) != _describe(image):
                yield f"makes {_describe(results[-1])} of {_describe(image)}; size and type must stay"
                return
        if np.isnan(results).any():
            yield f"makes NaN of {_describe(image)}"
        if not np.array_equal(results[0], results[-1]):
            yield "does not repeat: the same random state gave two different images"
        changes = changes or not all(np.array_equal(result, image) for result in results)
    if not changes:
        yield "changes nothing on images of one channel with these settings: leave it out"


def _forced(transform: Any, image: NDArray[Any]) -> Any:
    """Apply the transform whatever its ``p`` is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return transform(image=image.copy(), force_apply=True)["image"]


def _stand_ins(image_size: tuple[int, int], dtypes: Sequence[DTypeLike]) -> Iterator[NDArray[Any]]:
    """A ramp with noise, and a black image, of each type."""
    noise = np.random.default_rng(0).normal(0, 0.05, image_size)
    picture = np.clip(np.linspace(0, 1, image_size[1]) + noise, 0, 1)
    for dtype in dtypes:
        full = 255 if np.dtype(dtype) == np.uint8 else 1
        yield (picture * full).astype(dtype)
        yield np.zeros(image_size, dtype)


def _describe(image: Any) -> str:
    if not isinstance(image, np.ndarray):
        return f"a {type(image).__name__}"
    return f"a {image.dtype} image of {' × '.join(map(str, image.shape))}"
