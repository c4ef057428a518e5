"""What a large project costs, from measured images/s: hours on a laptop, a server, a SLURM array and a Ray cluster.

::

    python benchmarks/cost.py --runs runs/my_data                       # speeds of the members that are finished there
    python benchmarks/cost.py --speed resnet18=370 --speed vgg14=78     # or as they were seen
           [--gpu-speed 2000] [--images 1000000] [--members 20] [--folds 5] [--epochs 15] [--test 100000]

Each fold trains on the K − 1 other parts in each epoch, looks at its own part after each, and predicts the test rows
once. The measured members are repeated in turn until there are as many as the project has; trainings go to the next
device that is free, the longest first. Runs on a GPU below ``--runs`` are its measurement; without any, the speed of
a GPU is an assumption, as are the numbers of devices and what is said below the table.
"""

from __future__ import annotations

import argparse
import heapq
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

# As the file is run as a script, its own folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ensemble.files import read_json  # noqa: E402

# Assumed: a forward pass takes a third of a training step.
FORWARD = 1 / 3


@dataclass(frozen=True)
class Setup:
    """One way to run the project.

    Attributes:
        devices: Trainings at once.
        gpu: Whether each has a GPU; else the processor that was measured.
        start_seconds: Assumed, of one training: imports, the queue, the engine.
    """

    name: str
    devices: int
    gpu: bool
    start_seconds: float


SETUPS = (
    Setup("a laptop (`run`)", 1, gpu=False, start_seconds=10),
    Setup("one server with 4 GPUs (`run`)", 4, gpu=True, start_seconds=20),
    Setup("SLURM, an array on 32 GPUs (`train`)", 32, gpu=True, start_seconds=120),
    Setup("Ray, 8 nodes of 4 GPUs (`run --engine ray`)", 32, gpu=True, start_seconds=30),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--runs", type=Path, metavar="DIR", help="the runs folder of one dataset")
    source.add_argument("--speed", action="append", type=named_speed, metavar="NAME=IMAGES/S", help="may be repeated")
    parser.add_argument("--gpu-speed", type=float, default=2000.0, metavar="IMAGES/S", help="assumed, of every member")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--test", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()
    cpu, gpu = measured(args.runs) if args.runs else (dict(args.speed), {})
    assert cpu or gpu, f"{args.runs}: no finished training"
    on_gpu = gpu or {"assumed": args.gpu_speed}
    shown = ", ".join(f"{name} {speed:,.0f}" for name, speed in {**cpu, **gpu}.items())
    print(f"measured images/s: {shown}")
    print(
        f"project: {args.images:,} images, {args.test:,} test images, {args.members} members, {args.folds} folds, "
        f"{args.epochs} epochs: {args.members * (args.folds - 1) * args.images * args.epochs:,} trained images\n"
    )
    print("| setup | trainings at once | images/s of one (harmonic mean) | device hours | hours | days |")
    print("|---|---|---|---|---|---|")
    for setup in SETUPS:
        speeds = on_gpu if setup.gpu else cpu
        if speeds:
            print(row(setup, speeds, args, known=bool(gpu) if setup.gpu else True))


def named_speed(text: str) -> tuple[str, float]:
    name, _, speed = text.partition("=")
    return name, float(speed)


def measured(runs: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Median images/s over the folds of each member: on the processor, on a GPU."""
    found: dict[bool, dict[str, list[float]]] = {False: {}, True: {}}
    for path in sorted(runs.glob("*/fold_*/run.json")):
        facts = read_json(path)
        by_member = found[facts["device"] not in ("cpu", "mps")]
        by_member.setdefault(facts["member"], []).append(float(facts["train_images_per_second"]))
    cpu, gpu = ({name: statistics.median(all_) for name, all_ in found[on].items()} for on in (False, True))
    return cpu, gpu


def row(setup: Setup, speeds: dict[str, float], args: argparse.Namespace, *, known: bool) -> str:
    chosen = list(islice(cycle(speeds.values()), args.members))
    each = [training_seconds(speed, args) for speed in chosen for _ in range(args.folds)]
    hours = makespan([seconds + setup.start_seconds for seconds in each], setup.devices) / 3600
    mean = statistics.harmonic_mean(chosen)
    said = "measured" if known else "**assumed**"
    cells = (setup.name, setup.devices, f"{mean:,.0f} {said}", f"{sum(each) / 3600:,.0f}")
    return "| " + " | ".join(map(str, (*cells, f"{hours:,.0f}", f"{hours / 24:,.1f}"))) + " |"


def training_seconds(speed: float, args: argparse.Namespace) -> float:
    """Of one fold: its training, its own part after each epoch, the test rows once."""
    part = args.images / args.folds
    return float((part * (args.folds - 1) * args.epochs + FORWARD * (part * args.epochs + args.test)) / speed)


def makespan(durations: Sequence[float], devices: int) -> float:
    """When the last one ends, if each goes to the device that is free first, the longest first."""
    free = [0.0] * devices
    for duration in sorted(durations, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


if __name__ == "__main__":
    main()
