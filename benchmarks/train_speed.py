"""How fast is ``train``, against a bare loop on one batch in memory and against a loop as a timm user writes it.

::

    python benchmarks/train_speed.py [--networks cnn2 vgg14 resnet18] [--sizes 64 224] [--rounds 5] [--device auto]
    python benchmarks/train_speed.py --quick

Phantom slices as PNG files; the same network, batch, optimizer, loss, flips and affine turns on all sides. Each round
times all ways once, one after the other, so that a busy machine is busy for all of them; the table shows medians.

``bare``
    forward, loss, backward, optimizer on one normalised batch that lies in memory already, in the precision that
    ``train`` chooses: the speed of the arithmetic.
``train``
    ``train_one_epoch`` as the command runs it: from the cache, augmented, with the recipe's moving average.
``augment``
    The seconds that the loader alone takes for these batches, as a share of ``train``'s.
``plain``, ``mixed``
    ``plain_loop.py``: PIL, torchvision, float32; and the same in bfloat16 with channels_last, on a single batch a
    round where the processor only imitates bfloat16. Both with the number of workers that was faster for ``plain``.
``ceiling``
    ``bare`` ÷ ``plain``: how much faster than the plain loop a loader that costs nothing would be.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble.command import share_cores

MOST_PHANTOMS = 2048  # enough for a GPU's round of many more images

HEAD = (
    f"{'network':10}{'px':>5}{'batch':>7}{'bare':>9}{'train':>9}{'÷ bare':>8}{'augment':>9}{'plain':>9}{'mixed':>9}"
    f"{'÷ plain':>9}{'÷ mixed':>9}{'ceiling':>9}{'of it':>7}"
)


@dataclass(frozen=True)
class Case:
    """What is timed: ``batches`` of ``batch`` images of ``size`` pixels a round."""

    network: str
    size: int
    batch: int
    batches: int
    device: Any
    overrides: tuple[str, ...]

    @property
    def images(self) -> int:
        """A round."""
        return self.batch * self.batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["cnn2", "vgg14", "resnet18"], metavar="RECIPE")
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 224], metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, help="images (default: 48; 16 at more than 100 px on a CPU)")
    parser.add_argument("--batches", type=int, help="a round (default: 8; 2 at more than 100 px on a CPU; 40 on CUDA)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in ours' recipes")
    parser.add_argument("--quick", action="store_true", help="cnn2, 32 px, two rounds of two batches of eight")
    args = parser.parse_args()
    share_cores()  # before torch is imported, as the command does
    import torch

    from ensemble.training.precision import choose_device, choose_precision, usable_cores

    if args.quick:
        args.networks, args.sizes, args.rounds, args.batch, args.batches = ["cnn2"], [32], 2, 8, 2
    torch.set_num_threads(usable_cores())
    device = choose_device(args.device)
    precision = choose_precision("auto", device)
    print(
        f"images/s, medians of {args.rounds} alternating rounds; {device.type}, {usable_cores()} cores, torch "
        f"{torch.__version__}; train and bare in {precision.name}: {precision.reason}\n{HEAD}",
        flush=True,
    )
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            cases = [case_of(network, size, args, device) for network in args.networks]
            images = draw(cases[0], Path(folder))
            for case in cases:
                print(row(case, args.rounds, images), flush=True)


def case_of(network: str, size: int, args: argparse.Namespace, device: Any) -> Case:
    heavy = device.type == "cpu" and size > 100
    batches = 2 if heavy else 40 if device.type == "cuda" else 8
    return Case(network, size, args.batch or (16 if heavy else 48), args.batches or batches, device, tuple(args.set))


def row(case: Case, rounds: int, drawn: Drawn) -> str:
    """One line of the table."""
    ways = ways_of(case, drawn)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way, _ in ways.values():  # the first time compiles, allocates and starts workers
        way()
    for _ in range(rounds):
        for name, (way, images) in ways.items():
            seconds[name].append(timed(way, case.device) / images)
    rate = {name: 1 / statistics.median(found) for name, found in seconds.items()}
    ceiling = rate["bare"] / rate["plain"]
    return (
        f"{case.network:10}{case.size:5}{case.batch:7}{rate['bare']:9.1f}{rate['train']:9.1f}"
        f"{rate['train'] / rate['bare']:8.2f}{rate['train'] / rate['augment']:9.1%}{rate['plain']:9.1f}"
        f"{rate['mixed']:9.1f}{rate['train'] / rate['plain']:9.2f}{rate['train'] / rate['mixed']:9.2f}{ceiling:9.2f}"
        f"{rate['train'] / rate['plain'] / ceiling:7.2f}"
    )


def timed(way: Callable[[], object], device: Any) -> float:
    wait(device)
    started = time.perf_counter()
    way()
    wait(device)
    return time.perf_counter() - started


def wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ways_of(case: Case, images: Drawn) -> dict[str, tuple[Callable[[], object], int]]:
    """By name: what to time, and how many images it works on."""
    ours = our_ways(case, images)
    return {**{name: (way, case.images) for name, way in ours.items()}, **plain_ways(case, images)}


class Drawn(NamedTuple):
    """As many files and labels as a round needs; of many, some are the same."""

    folder: Path
    files: list[Path]
    labels: Any


def draw(case: Case, folder: Path) -> Drawn:
    """Phantoms."""
    from ensemble.data.phantoms.plan import PhantomSize
    from ensemble.data.phantoms.writing import write_phantoms

    size = PhantomSize(train=min(case.images, MOST_PHANTOMS), holdout=4, test=4, pixels=case.size)
    plan = write_phantoms(folder / "data", size).plans["train"]
    known = {path.stem: path for path in (folder / "data").rglob("*.png")}
    rows = np.arange(case.images) % size.train
    files = [known[plan.image_ids[row]] for row in rows]
    return Drawn(folder, files, np.asarray(plan.labels, np.float32)[rows])


def our_ways(case: Case, images: Drawn) -> dict[str, Callable[[], object]]:
    import torch

    from ensemble.data.augment import build_augmentation
    from ensemble.data.cache import build_cache
    from ensemble.data.loaders import ImageRows, training_loader
    from ensemble.recipe import load_recipe
    from ensemble.recipe_files import list_recipes
    from ensemble.training.build import build_settings, build_state
    from ensemble.training.engine import train_one_epoch
    from ensemble.training.job import Hardware
    from ensemble.training.precision import choose_precision, usable_cores

    path = next(one.path for one in list_recipes() if one.name == case.network)
    recipe = load_recipe(
        path, [f"data.image_size={case.size}", f"training.batch_size={case.batch}", f"augment={MOVES}", *case.overrides]
    )
    workers = 0 if case.device.type == "cpu" else min(8, max(1, usable_cores() - 1))  # as the command chooses
    hardware = Hardware(case.device, choose_precision("auto", case.device), workers, usable_cores())
    folder, labels = images.folder, images.labels
    names = [str(path.relative_to(folder / "data")) for path in images.files]
    cache = build_cache(folder / "cache", folder / "data", sorted(set(names)), image_size=recipe.data.image_size)
    rows = ImageRows(cache, cache.rows_of(names), labels)
    augmentation = build_augmentation(recipe.augment, recipe.data.image_size)
    gpu = case.device if case.device.type == "cuda" else None
    loader = training_loader(rows, batch_size=case.batch, seed=0, augmentation=augmentation, workers=workers, gpu=gpu)
    torch.manual_seed(0)
    state, _ = build_state(recipe, hardware, n_classes=labels.shape[1], n_batches=len(loader))
    settings = build_settings(recipe, rows, hardware, state.model)
    epochs = iter(range(10**6))
    batch = next(iter(loader.epoch(0)))
    return {
        "bare": bare_way(case, recipe, settings, batch),
        "train": lambda: train_one_epoch(state, loader, settings, epoch=next(epochs)),
        "augment": lambda: [len(one.images) for one in loader.epoch(next(epochs))],
    }


MOVES = "[{HorizontalFlip: {p: 0.5}}, {Affine: {rotate: [-10, 10], scale: [0.9, 1.1], p: 0.7}}]"


def bare_way(case: Case, recipe: Any, settings: Any, batch: Any) -> Callable[[], None]:
    """A fresh network's updates on one batch that lies on the device."""
    import torch

    from ensemble.training.network import build_network
    from ensemble.training.optim import build_optimizer

    wished = recipe.optimizer
    model = build_network(recipe, batch.labels.shape[1]).to(case.device)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(model, wished.name, lr=wished.lr, weight_decay=wished.weight_decay, args=wished.args)
    images, labels = settings.pixels(batch.images), batch.labels.to(case.device)

    def updates() -> None:
        for _ in range(case.batches):
            with settings.precision.autocast():
                logits = model(images)
            settings.loss(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return updates


def plain_ways(case: Case, images: Drawn) -> dict[str, tuple[Callable[[], object], int]]:
    from plain_loop import PngFiles, Wish, build_plain, loader_of

    from ensemble.training.precision import cpu_has_bfloat16, usable_cores

    wish = Wish(case.network, images.labels.shape[1], case.size)
    pin = case.device.type == "cuda"
    png = PngFiles(images.files, images.labels, case.size, training=True)
    loops = {mixed: build_plain(wish, case.device, total_updates=10**6, warmup=1, mixed=mixed) for mixed in (0, 1)}
    workers = {usable_cores()} if pin else {0, usable_cores()}  # with none, a GPU would wait most of the time
    choices = [loader_of(png, case.batch, training=True, workers=n, pin=pin) for n in sorted(workers)]
    times = []
    for loader in choices:
        loops[0].epoch(loader)
        times.append(timed(lambda loader=loader: loops[0].epoch(loader), case.device))
    loader = choices[int(np.argmin(times))]
    slow = case.device.type == "cpu" and not cpu_has_bfloat16()
    batches = 1 if slow else case.batches
    return {
        "plain": (lambda: loops[0].epoch(loader), case.images),
        "mixed": (lambda: loops[1].epoch(islice(loader, batches)), case.batch * batches),
    }


if __name__ == "__main__":
    main()
