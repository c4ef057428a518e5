"""One training by 1, 2 and 3 processes: are the predictions the same, is every image there once, and what is the speed?

::

    python benchmarks/torchrun.py DATASET [--rows 601] [--epochs 2] [--processes 1 2 3]
    python benchmarks/torchrun.py DATASET --rows 200 --epochs 1           # a look, in two minutes

DATASET is a folder with groups, e.g. one of ``python -m ensemble.demo``; a part of it, drawn by group, is trained on,
three folds at 48 px on the CPU, in float32, once by a network without batch normalisation and once by one with it. Of
every fifth training row one label is taken away. No batch divides evenly, least of all the last one of an epoch. All
cores are divided among the processes, so on one machine more of them are no more hands.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

# As the file is run as a script, its own folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FOLDS = 3
NETWORKS = {
    "no batch norm": "{name: vit_tiny_patch16_224, args: {depth: 4}}",
    "batch norm": "{name: cnn2}",
}
RECIPE = """# {title}
data:      {{image_size: 48}}
augment:   [{{HorizontalFlip: {{p: 0.5}}}}]
model:     {model}
optimizer: {{name: adamw, lr: 5e-4}}
training:  {{epochs: {epochs}, batch_size: 49, ema_decay: 0.9}}
precision: float32
"""


@dataclass(frozen=True)
class Result:
    """What a member's folder holds, and how long it took."""

    image_ids: list[str]
    logits: np.ndarray  # (N, C)
    images_per_second: float
    threads: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rows", type=int, default=601, metavar="N")
    parser.add_argument("--epochs", type=int, default=2, metavar="N")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        rows = part_of(args.dataset, data, args.rows)
        print(f"{rows} training rows, {FOLDS} folds, {args.epochs} epochs, batches of 49", flush=True)
        print(
            f"{'network':<14} {'processes':>9} {'threads':>7} {'ids once':>8} {'AP':>7} {'F1':>7} {'|logit - 1|':>11} "
            f"{'images/s':>8} {'seconds':>7}"
        )
        for title, model in NETWORKS.items():
            recipe = Path(folder) / f"{title.replace(' ', '_')}.yaml"
            recipe.write_text(RECIPE.format(title=title, model=model, epochs=args.epochs), encoding="utf-8")
            first = None
            for processes in args.processes:
                result = train(recipe, data, Path(folder) / f"runs_{processes}", processes)
                first = first or result
                show(title, processes, result, first, data)


def part_of(source: Path, target: Path, rows: int) -> int:
    from subset import write_subset

    copied = write_subset(source, target, rows=rows, n_folds=FOLDS, seed=0)
    table = target / "train_labels.csv"
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    for place in range(0, len(lines), 5):
        image_id, _, *others = lines[place].split(",")
        lines[place] = ",".join([image_id, "", *others])
    table.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    return copied


def train(recipe: Path, data: Path, runs: Path, processes: int) -> Result:
    words = ["ensemble.train", recipe, "--data", data, "--runs", runs, "--all-folds", "--device", "cpu"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes] if processes > 1 else []
    command = [sys.executable, *map(str, [*launcher, "-m", *words])]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{processes} processes: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return read(runs / "data" / recipe.stem, processes, time.monotonic() - started)


def read(member: Path, processes: int, seconds: float) -> Result:
    from ensemble.predictions import read_predictions

    facts = [json.loads((member / f"fold_{fold}" / "run.json").read_text(encoding="utf-8")) for fold in range(FOLDS)]
    assert {one["processes"] for one in facts} == {processes}
    table = read_predictions(member / "oof.parquet")
    folds = [read_predictions(member / f"fold_{fold}" / "oof.parquet") for fold in range(FOLDS)]
    image_ids = [str(one) for fold in folds for one in fold.image_ids]  # as the processes left them
    speed = float(np.median([one["train_images_per_second"] for one in facts]))
    assert sorted(image_ids) == sorted(map(str, table.image_ids)), "merged tables hold other images"
    return Result(sorted(image_ids), table.values, speed, facts[0]["threads"], seconds)


def show(title: str, processes: int, result: Result, first: Result, data: Path) -> None:
    from ensemble import metrics
    from ensemble.dataset import read_dataset

    train_rows = read_dataset(data).train
    labels = train_rows.labels
    assert labels is not None
    once = result.image_ids == sorted(map(str, train_rows.image_ids))
    probabilities = expit(result.logits.astype(np.float64))
    precision = metrics.macro_average_precision(labels, probabilities)
    f1 = metrics.macro_f1(labels, probabilities >= 0.5)
    away = float(np.abs(result.logits - first.logits).max())
    print(
        f"{title:<14} {processes:>9} {result.threads:>7} {'yes' if once else 'NO':>8} {precision:>7.4f} {f1:>7.4f} "
        f"{away:>11.2g} {result.images_per_second:>8.0f} {result.seconds:>7.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
