"""How time and memory grow: more images, more folds, larger images, more members.

::

    python benchmarks/growth.py [--quick] [--axes images memory folds pixels members] [--keep DIR]

The real commands run on phantoms, each in a process of its own: ``train --all-folds`` (``cnn2``, one epoch), the same
again with the cache there and nothing to train (``again``), and ``blend``. One thing grows at a time, in three steps:

    images   3,000  6,000  12,000     at 64 px, 3 folds; half as many again are holdout and test images
    memory   3,000  6,000  12,000     the same at 224 px, one fold of timm's ``test_vit``: 0.2 to 0.9 GiB of pixels
    folds        3      5      10     of 3,000 images at 64 px
    pixels      64    128     224     on 1,000 images drawn at 224 px, 3 folds
    members      1      4      12     on 3,000 images at 16 px, 3 folds; their trainings are not shown

``training`` is the time of the epochs, as runs store it; ``rest`` is what ``train`` takes beside: start, cache,
predictions, tables. Seconds are wall time, ``CPU`` those of all processors together. ``curve`` is the CPU time's slope
over the second step divided by that over the first, per image, fold, pixel or member: 1 is linear, more grows faster.
``MiB`` is the largest resident set of the process.

Exits with 1 where ``train``'s memory grows with the number of images: on the axis ``memory`` by more than 10 %.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# As the file is run as a script, its own folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FLAT = 1.1
HEAD = f"{'':10}{'step':10}{'seconds':>9}{'CPU s':>9}{'curve':>8}{'MiB':>8}"


@dataclass(frozen=True)
class Setting:
    """What one point of an axis runs on."""

    images: int = 3000
    folds: int = 3
    pixels: int = 64
    members: int = 1
    drawn: str = "demo"
    network: str = "cnn2"

    def value(self, axis: str) -> int:
        """Where it stands on an axis."""
        number: int = getattr(self, "images" if axis == "memory" else axis)
        return number


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    seconds: float
    cpu: float
    mib: float


AXES = {
    "images": [Setting(images=n) for n in (3000, 6000, 12000)],
    "memory": [Setting(images=n, pixels=224, network="test_vit") for n in (3000, 6000, 12000)],
    "folds": [Setting(folds=n) for n in (3, 5, 10)],
    "pixels": [Setting(images=1000, pixels=n, drawn="origin") for n in (64, 128, 224)],
    "members": [Setting(pixels=16, members=n) for n in (1, 4, 12)],
}
QUICK = {
    "images": [Setting(images=n) for n in (200, 400, 800)],
    "memory": [Setting(images=n, pixels=224, network="test_vit") for n in (100, 200, 400)],
    "folds": [Setting(images=200, folds=n) for n in (2, 3, 4)],
    "pixels": [Setting(images=120, pixels=n, drawn="origin") for n in (32, 64, 96)],
    "members": [Setting(images=200, pixels=16, members=n) for n in (1, 2, 3)],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--quick", action="store_true", help="a few hundred images: does it run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and leave it")
    args = parser.parse_args()
    flat = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        for axis in args.axes:
            points = (QUICK if args.quick else AXES)[axis]
            costs = []
            for point in points:
                step = folder / f"{axis}{point.value(axis)}"
                costs.append(train_once(step, point) if axis == "memory" else measure(step, point))
                print(f"{axis} {point.value(axis):,} done", file=sys.stderr, flush=True)
            report(axis, points, costs)
            flat &= axis != "memory" or costs[-1]["train"].mib <= FLAT * costs[0]["train"].mib
    if "memory" in args.axes:
        print(f"train's memory {'is flat' if flat else 'GROWS'} in the number of images")
    return 0 if flat else 1


def phantoms(folder: Path, point: Setting) -> Path:
    """So many slices, drawn once for all axes; how long that takes is not measured."""
    data = folder / f"drawn_{point.drawn}_{point.images}"
    if not data.exists():
        part = data.with_suffix(".part")
        command("demo", part, "--images", point.images, "--size", point.drawn, "--seed", 1)
        (part / "dataset.yaml").unlink()  # it says how many folds there are
        part.rename(data)
    return data


def measure(folder: Path, point: Setting) -> dict[str, Cost]:
    """The commands' costs, by step."""
    data, runs = phantoms(folder.parent, point), folder / "runs"
    costs: dict[str, Cost] = {}
    for number in range(point.members):
        train = ["train", write_recipe(folder, f"m{number}", point), "--all-folds", "--data", data, "--runs", runs]
        whole = command(*train, "--seed", number)
        if point.members == 1:
            costs = {"train": whole, **parts_of(whole, runs), "again": command(*train, "--seed", number)}
    blend = ["blend", "--data", data, "--runs", runs, "--submission", folder / "submission.csv"]
    return {**costs, "blend": command(*blend)} if point.members == 1 else {"blend": command(*blend)}


def train_once(folder: Path, point: Setting) -> dict[str, Cost]:
    """One fold."""
    data, runs = phantoms(folder.parent, point), folder / "runs"
    recipe = write_recipe(folder, "m", point)
    return {"train": command("train", recipe, "--fold", 0, "--data", data, "--runs", runs)}


def write_recipe(folder: Path, name: str, point: Setting) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(
        f"data: {{image_size: {point.pixels}, n_folds: {point.folds}}}\n"
        "augment: [{HorizontalFlip: {p: 0.5}}, {Affine: {rotate: [-10, 10], scale: [0.9, 1.1], p: 0.7}}]\n"
        f"model: {{name: {point.network}}}\ntraining: {{epochs: 1, batch_size: 48}}\n",
        encoding="utf-8",
    )
    return path


def command(name: str, *words: object) -> Cost:
    """Run ``python -m ensemble.NAME``."""
    started = time.perf_counter()
    typed = [sys.executable, "-m", f"ensemble.{name}", *map(str, words)]
    with subprocess.Popen(typed, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(typed)}: exit code {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def parts_of(whole: Cost, runs: Path) -> dict[str, Cost]:
    """Training and what is beside it; CPU in the same proportion, which training's threads make a little too small."""
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in runs.glob("*/*/fold_*/run.json")]
    seconds = sum(run["training_seconds"] for run in stored)
    share = seconds / whole.seconds
    return {
        "training": Cost(seconds, whole.cpu * share, whole.mib),
        "rest": Cost(whole.seconds - seconds, whole.cpu * (1 - share), whole.mib),
    }


def report(axis: str, points: list[Setting], costs: list[dict[str, Cost]]) -> None:
    sizes = [point.value(axis) ** (2 if axis == "pixels" else 1) for point in points]
    print(f"\n{axis}\n{HEAD}")
    for step in [name for name in ("train", "training", "rest", "again", "blend") if name in costs[-1]]:
        taken = [cost[step] for cost in costs if step in cost]
        for number, cost in enumerate(taken):
            curve = f"{slope_ratio(sizes, taken):8.2f}" if number == len(points) - 1 else " " * 8
            label = f"{points[number].value(axis):,}"
            print(f"{label:10}{step:10}{cost.seconds:9.1f}{cost.cpu:9.1f}{curve}{cost.mib:8.0f}", flush=True)


def slope_ratio(sizes: list[int], costs: list[Cost]) -> float:
    slopes = [
        (after.cpu - before.cpu) / (larger - smaller)
        for smaller, larger, before, after in zip(sizes, sizes[1:], costs, costs[1:], strict=False)
    ]
    return slopes[1] / slopes[0] if slopes[0] > 0 else float("nan")


if __name__ == "__main__":
    sys.exit(main())
