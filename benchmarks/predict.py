"""Images per second and peak memory of ``ensemble.predict``, for several numbers of images.

    PYTHONPATH=. python benchmarks/predict.py [--images 5000 20000] [--size 64] [--members 2]

Members are trained for one epoch on a few phantoms: what they say is of no use, how long it takes is. Images are links
to phantoms under other names. Each number is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = "data: {{image_size: {size}, n_folds: 2}}\nmodel: {{name: {name}}}\ntraining: {{epochs: 1, batch_size: 32}}\n"
NETWORKS = ("cnn2", "cnn3", "resnet18", "vgg14")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 20000], metavar="N")
    parser.add_argument("--size", type=int, default=64, help="side of the networks' images, in pixels (default: 64)")
    parser.add_argument("--members", type=int, default=2, help="how many of cnn2, cnn3, resnet18, vgg14 (default: 2)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        blend = prepare(Path(folder), args.size, args.members)
        found = [measure(Path(folder), blend, n_images) for n_images in args.images]
    print(json.dumps({"size": args.size, "members": args.members, "folds": 2, "cores": os.cpu_count(), "runs": found}))


def prepare(folder: Path, size: int, members: int) -> Path:
    """Train and blend; the blend's folder."""
    data, runs = folder / "phantoms", folder / "runs"
    call("demo", str(data), "--images", "120")
    (data / "dataset.yaml").unlink()
    for name in NETWORKS[:members]:
        (folder / f"{name}.yaml").write_text(RECIPE.format(size=size, name=name))
        call("train", str(folder / f"{name}.yaml"), "--all-folds", "--data", str(data), "--runs", str(runs))
    where = ["--data", str(data), "--runs", str(runs), "--submission", str(folder / "submission.csv")]
    call("blend", *where, "--trials", "0", "--combine", "mean", "--thresholds", "exact")
    return runs / "phantoms" / "blends" / "blend"


def measure(folder: Path, blend: Path, n_images: int) -> dict[str, float]:
    """Predict so many images in a process of its own."""
    images = folder / f"images_{n_images}"
    images.mkdir()
    sources = sorted((folder / "phantoms").rglob("*.png"))
    for number in range(n_images):
        (images / f"{number:07}.png").hardlink_to(sources[number % len(sources)])
    code = "import resource, sys; from ensemble.predict import main; code = main(sys.argv[1:]); "
    code += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    out = folder / f"out_{n_images}.csv"
    started = time.perf_counter()
    command = [sys.executable, "-c", code, str(images), "--blend", str(blend), "--out", str(out)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    speed = [line for line in ran.stdout.splitlines() if f"of {n_images:,} images" in line][-1]
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    peak = int(ran.stdout.split("peak ")[1]) * unit
    rate = float(speed.split(", ")[-1].split()[0].replace(",", ""))
    found = {"images": n_images, "seconds": round(seconds, 1), "images_per_second": rate, "peak_mib": peak >> 20}
    print(found, flush=True)
    return found


def call(command: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", f"ensemble.{command}", *words], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
