"""How long the whole blend takes as a user runs it: reading tables, ``auto``, honest score, report, submission.

::

    python benchmarks/blend_job.py [--shapes 12x12000x3 20x100000x14] [--repeats 3] [--format npz] [--trials N]

A shape is members x rows x classes; the tables (those of ``blend_speed.py``, and test rows half as many) are written
to a temporary folder, then ``python -m ensemble.blend --oof … --test …`` runs on them as a process of its own, with
the defaults unless ``--trials`` is given. Wall and CPU seconds are medians of the repeats; CPU beyond wall means that
both cores worked, CPU far below it that the machine did other things. The memory is the largest resident set of the
process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["12x12000x3", "20x100000x14"], metavar="MxNxC")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--format", choices=("npz", "csv"), default="npz")
    parser.add_argument("--trials", type=int, metavar="N", help="of the Optuna studies (default: the command's)")
    args = parser.parse_args()
    print(f"{'members':>8}{'rows':>8}{'classes':>8}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}   wall of each run")
    for shape in args.shapes:
        members, rows, classes = (int(part) for part in shape.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            write_tables(Path(folder), members, rows, classes, args.format)
            runs = [run_blend(Path(folder), args.trials) for _ in range(args.repeats)]
        wall, cpu, peak = (statistics.median(values) for values in zip(*runs, strict=True))
        each = ", ".join(f"{run[0]:.1f}" for run in runs)
        print(f"{members:8}{rows:8}{classes:8}{wall:9.1f}{cpu:9.1f}{peak:10.0f}   {each}", flush=True)


def run_blend(folder: Path, trials: int | None) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of one run of the command."""
    words = [sys.executable, "-m", "ensemble.blend", "--oof", "oof", "--test", "test", "--labels", "labels.csv"]
    words += ["--out", "blended", *([] if trials is None else ["--trials", str(trials)])]
    root = str(Path(__file__).resolve().parents[1])
    started = time.perf_counter()
    child = subprocess.Popen(words, cwd=folder, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"blend ended with status {status}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def write_tables(folder: Path, members: int, n_rows: int, n_classes: int, form: str) -> None:
    from blend_speed import simulate

    stack, labels = simulate(members, n_rows + n_rows // 2, n_classes)
    classes = [f"class{number}" for number in range(n_classes)]
    ids = np.array([f"row{number:07}" for number in range(labels.shape[0])])
    for part, rows in {"oof": slice(0, n_rows), "test": slice(n_rows, None)}.items():
        (folder / part).mkdir()
        for name, logits in zip(stack.names, stack.logits, strict=True):
            write_table(folder / part / f"{name.replace(' ', '_')}.{form}", ids[rows], classes, logits[rows])
    lines = [",".join(["id", *classes])]
    lines += [",".join([name, *row]) for name, row in zip(ids, labels[:n_rows].astype(int).astype(str), strict=False)]
    (folder / "labels.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def write_table(path: Path, ids: NDArray[np.str_], classes: list[str], logits: NDArray[np.float32]) -> None:
    if path.suffix == ".npz":
        np.savez(path, id=ids, class_names=np.array(classes), logits=logits)
        return
    chances = 1 / (1 + np.exp(-logits.astype(np.float64)))
    rows = [",".join([name, *(f"{value:.6f}" for value in row)]) for name, row in zip(ids, chances, strict=True)]
    path.write_text("\n".join([",".join(["id", *classes]), *rows, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
