"""One full-size training step of recipes: does it run, and what does it take.

::

    python benchmarks/recipe_steps.py [RECIPE ...] [--size 224] [--batch N] [--steps 1] [--device cpu]

RECIPE is a shipped recipe's name (``cnn2``, ``origin/05_cnn2``); all of them without. Each runs in a fresh process: its
own batch size, augmentation, loss, optimizer and precision, random weights, images of smoothed noise, three classes.
The first step warms up, the next ``--steps`` are timed (augmentation included, median shown). The memory is the
process's largest resident set, so it holds Python and torch too (the first row, "nothing", shows them); on CUDA it is
the device's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

N_CLASSES = 3
COLUMNS = (
    f"{'recipe':22}{'parameters':>14}{'batch':>7}{'seconds a step':>16}{'images/s':>10}{'peak MiB':>10}  precision"
)


def main() -> None:
    from ensemble.recipe_files import list_recipes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--size", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=0, metavar="N", help="instead of each recipe's own")
    parser.add_argument("--steps", type=int, default=1, metavar="N", help="timed steps after the first (default: 1)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_process:
        print(json.dumps(measure(args.recipes[0], args)))
        return
    known = [recipe.name for recipe in list_recipes() if not recipe.name.startswith("demo/")]
    unknown = set(args.recipes) - set(known)
    if unknown:
        parser.error(f"no such recipe: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    print(f"{args.size} px, {args.device}; median of {args.steps} timed step(s)\n{COLUMNS}", flush=True)
    for name in ["nothing", *(args.recipes or known)]:
        print(line(name, args), flush=True)


def line(name: str, args: argparse.Namespace) -> str:
    flags = ("size", "batch", "steps", "device", "precision")
    settings = [text for flag in flags for text in (f"--{flag}", str(getattr(args, flag)))]
    command = [sys.executable, str(Path(__file__).resolve()), name, "--in-process", *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # Killed by the system for its memory: -9 and no word.
        reason = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        return f"{name:22}{reason[0]}"
    got = json.loads(done.stdout.splitlines()[-1])
    if name == "nothing":
        return f"{name:22}{'':47}{got['mebibytes']:10,.0f}"
    rate = got["batch"] / got["seconds"]
    return (
        f"{name:22}{got['parameters']:14,}{got['batch']:7}{got['seconds']:16.2f}{rate:10.1f}{got['mebibytes']:10,.0f}"
        f"  {got['precision']}"
    )


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from ensemble.training.build import build_settings, build_state
    from ensemble.training.engine import train_one_epoch
    from ensemble.training.job import Hardware
    from ensemble.training.precision import choose_device, choose_precision, usable_cores

    device = choose_device(args.device)
    torch.set_num_threads(usable_cores())
    if name == "nothing":
        return {"mebibytes": peak_mebibytes(device)}
    recipe = shipped(name, args)
    hardware = Hardware(device, choose_precision(recipe.precision, device), workers=0, threads=usable_cores())
    rows = random_rows(recipe.training.batch_size, args.size)
    loader = loader_of(recipe, rows)
    torch.manual_seed(0)
    state, _ = build_state(recipe, hardware, n_classes=N_CLASSES, n_batches=len(loader))
    settings = build_settings(recipe, rows, hardware, state.model)
    seconds = [train_one_epoch(state, loader, settings, epoch=epoch).seconds for epoch in range(args.steps + 1)]
    return {
        "parameters": sum(weight.numel() for weight in state.model.parameters()),
        "batch": recipe.training.batch_size,
        "seconds": statistics.median(seconds[1:]),
        "mebibytes": peak_mebibytes(device),
        "precision": hardware.precision.name,
    }


def shipped(name: str, args: argparse.Namespace) -> Any:
    from ensemble.recipe import load_recipe
    from ensemble.recipe_files import list_recipes

    path = next(recipe.path for recipe in list_recipes() if recipe.name == name)
    wanted = [f"data.image_size={args.size}", "model.pretrained=false", f"precision={args.precision}"]
    return load_recipe(path, [*wanted, *([f"training.batch_size={args.batch}"] if args.batch else [])])


def random_rows(n: int, size: int) -> Any:
    """One batch of images with some structure, in a cache's place, and random labels."""
    import cv2

    from ensemble.data.loaders import ImageRows

    rng = np.random.default_rng(0)
    noise = [cv2.GaussianBlur(rng.random((size, size), np.float32), (0, 0), size / 16) for _ in range(n)]
    images = np.stack([cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8) for one in noise])
    labels = (rng.random((n, N_CLASSES)) < 0.4).astype(np.float32)
    return ImageRows(SimpleNamespace(images=images, gather=images.__getitem__), np.arange(n, dtype=np.int64), labels)


def loader_of(recipe: Any, rows: Any) -> Any:
    from ensemble.data.augment import build_augmentation
    from ensemble.data.loaders import training_loader

    augmentation = build_augmentation(recipe.augment, recipe.data.image_size) if recipe.augment else None
    return training_loader(
        rows, batch_size=recipe.training.batch_size, seed=0, augmentation=augmentation, workers=0, gpu=None
    )


def peak_mebibytes(device: Any) -> float:
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


if __name__ == "__main__":
    main()
