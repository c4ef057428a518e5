"""The data side alone: how many images a second reach the network's door, beside timm's and torchvision's loaders.

::

    python benchmarks/data_side.py [--quick] [--sizes 64 224] [--images N] [--rounds 3]

Phantom PNGs are drawn at the size they are used at, so nobody resizes. Every side delivers shuffled float32 batches of
48 on the CPU, normalised by one mean and standard deviation:

    ensemble        the cache and ``training_loader``, then the normalisation that training does on its device
    torchvision     a Dataset that opens each file by PIL, torchvision's transforms, a plain DataLoader
    albumentations  the same, with cv2 and albumentations' transforms: the very transforms that ``ensemble`` computes
    timm            ``ImageDataset`` and ``create_loader`` with its prefetcher, torchvision's transforms on PIL images

``none`` is no augmentation; ``flip+affine`` is what most recipes here ask for: half of the images flipped, seven in ten
rotated by up to 10 degrees and scaled by 0.9 to 1.1, bilinearly. Peers run without and with a worker process per core.
``epoch 1`` counts what it takes to start: for ``ensemble`` decoding into a new cache. ``later`` is the median of the
second epoch over all rounds, in images a second, and ``ours ÷ it`` compares these. Files are in the disk's cache for
all. The order of the sides changes from round to round. ``CPU µs`` is processor time of the second epoch an image,
workers included, and ``it ÷ ours`` compares it: that is what a busy machine disturbs least.

Exits with 1 if ``ensemble`` is not at least 3 times (``none``: 10 times) as fast in the second epoch as the faster of
timm's and torchvision's loaders.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # torch's threads sleep while they wait, as in training; for all sides alike

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

MEAN, STD, BATCH = 0.485, 0.229, 48
AUGMENT = [{"HorizontalFlip": {"p": 0.5}}, {"Affine": {"rotate": [-10, 10], "scale": [0.9, 1.1], "p": 0.7}}]
LEAST = {"none": 10.0, "flip+affine": 3.0}
JUDGED = ("timm", "torchvision")
Epoch = Callable[[int], Iterable[Any]]


@dataclass
class Side:
    """One row of the table.

    Attributes:
        make: A function of one round, that starts afresh and gives the epochs.
    """

    name: str
    workers: int
    make: Callable[[], Epoch]
    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 224], metavar="PIXELS")
    parser.add_argument("--images", type=int, metavar="N", help="default: 2,000, from 128 px on 800")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--quick", action="store_true", help="a tenth of the images, one round: does it run")
    args = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            n = args.images or (2000 if size < 128 else 800)
            files = draw(Path(folder) / f"phantoms{size}", size, n // 10 if args.quick else n)
            for name in LEAST:
                sides = sides_of(files, size, augmented=name != "none")
                measure(sides, len(files), 1 if args.quick else args.rounds)
                missed += report(sides, size, name)
    print(f"not reached: {', '.join(missed) or 'nothing'}")
    return 1 if missed else 0


def draw(folder: Path, size: int, n: int) -> list[Path]:
    """N phantoms as PNGs in one folder below ``folder``, which timm takes for a class."""
    from ensemble.data.phantoms.plan import PhantomSize
    from ensemble.data.phantoms.writing import write_phantoms

    write_phantoms(folder, PhantomSize(n - 40, 20, 20, size))
    return sorted((folder / "images").glob("*.png"))


def sides_of(files: list[Path], size: int, *, augmented: bool) -> list[Side]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    sides = [Side("ensemble", 0, lambda: ours(files, size, augmented=augmented, cores=cores))]
    for workers in (0, cores):
        for name, build in (("torchvision", with_torchvision), ("albumentations", with_albumentations)):
            sides.append(Side(name, workers, _bound(build, files, size, augmented, workers)))
        sides.append(Side("timm", workers, _bound(with_timm, files, size, augmented, workers)))
    return sides


def _bound(build: Callable[..., Epoch], *arguments: Any) -> Callable[[], Epoch]:
    return lambda: build(*arguments)


def measure(sides: list[Side], n_images: int, rounds: int) -> None:
    for number in range(rounds):
        for side in sides[number % len(sides) :] + sides[: number % len(sides)]:
            started = time.perf_counter()
            epoch = side.make()
            run(epoch, 0, n_images)
            side.first.append(n_images / (time.perf_counter() - started))
            cpu, started = cpu_seconds(), time.perf_counter()
            run(epoch, 1, n_images)
            side.later.append(n_images / (time.perf_counter() - started))
            del epoch  # ends its workers, whose time is known from then on
            side.cpu.append(1e6 * (cpu_seconds() - cpu) / n_images)


def run(epoch: Epoch, number: int, n_images: int) -> None:
    seen = 0
    for images in epoch(number):
        assert images.dtype == torch.float32
        assert images.shape[1] == 1
        seen += len(images)
    assert n_images - BATCH < seen <= n_images  # timm leaves out what does not fill a batch


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def ours(files: list[Path], size: int, *, augmented: bool, cores: int) -> Epoch:
    from ensemble.data.augment import build_augmentation
    from ensemble.data.cache import build_cache
    from ensemble.data.loaders import ImageRows, training_loader
    from ensemble.recipe import TransformSettings
    from ensemble.training.engine import Pixels

    place = tempfile.TemporaryDirectory()
    root = files[0].parent
    cache = build_cache(Path(place.name), root, [file.name for file in files], image_size=(size, size), workers=cores)
    rows = ImageRows(cache, np.arange(len(files)), np.zeros((len(files), 1), np.float32))
    settings = [TransformSettings.model_validate(one) for one in AUGMENT] if augmented else []
    augmentation = build_augmentation(settings, (size, size)) if settings else None
    loader = training_loader(rows, batch_size=BATCH, seed=0, augmentation=augmentation, workers=0, gpu=None)
    normalised = Pixels(MEAN, STD, torch.device("cpu"))

    def epoch(number: int, _place: object = place) -> Iterable[torch.Tensor]:
        return (normalised(batch.images) for batch in loader.epoch(number))

    return epoch


class Files(Dataset[torch.Tensor]):
    """One file after the other, opened and changed."""

    def __init__(self, files: list[Path], load: Callable[[str], torch.Tensor]) -> None:
        self._files = np.array([str(file) for file in files])
        self._load = load

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self._load(str(self._files[index]))


def torchvision_transforms(*last: Any, augmented: bool) -> Any:
    affine = transforms.RandomAffine(10, scale=(0.9, 1.1), interpolation=transforms.InterpolationMode.BILINEAR)
    changing = [transforms.RandomHorizontalFlip(0.5), transforms.RandomApply([affine], 0.7)]
    return transforms.Compose([*(changing if augmented else []), *last])


def with_torchvision(files: list[Path], _size: int, augmented: bool, workers: int) -> Epoch:  # noqa: FBT001
    change = torchvision_transforms(transforms.ToTensor(), transforms.Normalize([MEAN], [STD]), augmented=augmented)

    def load(path: str) -> torch.Tensor:
        with Image.open(path) as image:
            changed: torch.Tensor = change(image.convert("L"))
        return changed

    return plain_loader(Files(files, load), workers)


def with_albumentations(files: list[Path], _size: int, augmented: bool, workers: int) -> Epoch:  # noqa: FBT001
    import albumentations

    flip = albumentations.HorizontalFlip(p=0.5)
    affine = albumentations.Affine(rotate=(-10, 10), scale=(0.9, 1.1), p=0.7)
    change = albumentations.Compose([flip, affine] if augmented else [])

    def load(path: str) -> torch.Tensor:
        image = change(image=cv2.imread(path, cv2.IMREAD_GRAYSCALE))["image"]
        return (torch.from_numpy(image).float().div_(255).sub_(MEAN) / STD).unsqueeze(0)

    return plain_loader(Files(files, load), workers)


def plain_loader(dataset: Dataset[torch.Tensor], workers: int) -> Epoch:
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return lambda _number: loader


def with_timm(files: list[Path], size: int, augmented: bool, workers: int) -> Epoch:  # noqa: FBT001
    from timm.data import ImageDataset, create_loader
    from timm.data.transforms import ToNumpy

    dataset = ImageDataset(str(files[0].parents[1]), input_img_mode="L")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = create_loader(
            dataset,
            (1, size, size),
            BATCH,
            is_training=True,
            mean=(MEAN,),
            std=(STD,),
            num_workers=workers,
            device=torch.device("cpu"),
        )
    dataset.transform = torchvision_transforms(ToNumpy(), augmented=augmented)
    return lambda _number: (images for images, _targets in loader)


def report(sides: list[Side], size: int, name: str) -> list[str]:
    """Print the table; what is not reached."""
    ours_later = statistics.median(sides[0].later)
    head = f"{'side':16}{'workers':>8}{'epoch 1':>9}{'later':>9}{'ours ÷ it':>11}{'CPU µs':>9}{'it ÷ ours':>11}"
    print(f"\n{size} px, {name}, images/s\n{head}")
    ours_cpu = statistics.median(sides[0].cpu)
    for side in sides:
        first, later, cpu = (statistics.median(values) for values in (side.first, side.later, side.cpu))
        rates = f"{first:9,.0f}{later:9,.0f}{ours_later / later:11.1f}"
        print(f"{side.name:16}{side.workers:8}{rates}{cpu:9,.0f}{cpu / ours_cpu:11.1f}", flush=True)
    ratio = ours_later / max(statistics.median(side.later) for side in sides if side.name in JUDGED)
    return [] if ratio >= LEAST[name] else [f"{size} px {name}: {ratio:.1f} of {LEAST[name]:g} times"]


if __name__ == "__main__":
    sys.exit(main())
