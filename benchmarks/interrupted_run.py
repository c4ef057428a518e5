"""``run``, interrupted at random and started again: is the submission the same, and was nothing trained twice?

::

    python benchmarks/interrupted_run.py DATASET OUT [--groups 12] [--rows 20] [--test 200] [--seed 0]

DATASET is a folder with ``train_labels.csv``, ``train_groups.csv``, ``sample_submission.csv`` and ``images/``; a
part of it, of the first groups and test rows, becomes a dataset of its own in OUT. ``run`` with three recipes and
three folds goes through once undisturbed. Then again elsewhere: it is sent SIGTERM at a random moment, started
again, killed (``kill -9``) at a random moment, and started again to the end.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

# As the file is run as a script, its own folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RECIPES = ("cnn2", "lstm", "resnet18")
FOLDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", type=int, default=12, metavar="G")
    parser.add_argument("--rows", type=int, default=20, metavar="N", help="training rows of each group")
    parser.add_argument("--test", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    data = args.out / "data"
    if not data.exists():
        from origin_systems import take_part

        take_part(args.dataset, data, args.groups, args.rows)
        ids = (args.dataset / "sample_submission.csv").read_text(encoding="utf-8").splitlines()[: args.test + 1]
        (data / "sample_submission.csv").write_text("\n".join([*ids, ""]), encoding="utf-8")
    started = time.monotonic()
    assert start(args.out, "whole").wait() == 0, "the undisturbed run failed"
    seconds = time.monotonic() - started
    print(f"undisturbed: {seconds:.0f} s", flush=True)
    disturb(args.out, random.Random(args.seed), seconds)  # noqa: S311 - no secret
    compare(args.out)


def start(out: Path, name: str) -> subprocess.Popen[bytes]:
    """The same command each time; what it prints is appended to a log."""
    words = [sys.executable, "-m", "ensemble.run", *(str(ROOT / "recipes" / f"{recipe}.yaml") for recipe in RECIPES)]
    words += ["--data", str(out / "data"), "--runs", str(out / name), "--submission", str(out / f"{name}.csv")]
    for setting in ("data.image_size=48", f"data.n_folds={FOLDS}", "training.epochs=2"):
        words += ["--set", setting]
    with (out / f"{name}.log").open("ab") as log:
        return subprocess.Popen([*words, "--trials", "0"], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


def disturb(out: Path, rng: random.Random, seconds: float) -> None:
    finished: dict[Path, float] = {}
    for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "kill -9")):
        process, moment = start(out, "disturbed"), rng.uniform(0.15, 0.5) * seconds
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        sent = time.monotonic()
        code = process.wait()
        print(f"{name} after {moment:.0f} s: exit code {code} within {time.monotonic() - sent:.1f} s", flush=True)
        check_untouched(finished)
        finished.update({path: path.stat().st_mtime for path in out.glob("disturbed/data/*/fold_*/run.json")})
        print(f"  {len(finished)} of {len(RECIPES) * FOLDS} trainings finished by then", flush=True)
        time.sleep(10)  # trainings whose command was killed save, and end
    assert start(out, "disturbed").wait() == 0, "the last start failed"
    check_untouched(finished)


def check_untouched(finished: dict[Path, float]) -> None:
    again = [path for path, before in finished.items() if path.stat().st_mtime != before]
    print(f"  finished trainings that ran twice: {len(again)} {again or ''}", flush=True)


def compare(out: Path) -> None:
    same = (out / "whole.csv").read_bytes() == (out / "disturbed.csv").read_bytes()
    print(f"submission: {'byte-identical' if same else 'DIFFERENT'}")
    tables = sorted(path.relative_to(out / "whole") for path in out.glob("whole/data/*/*.parquet"))
    equal = sum((out / "whole" / path).read_bytes() == (out / "disturbed" / path).read_bytes() for path in tables)
    print(f"members' tables: {equal} of {len(tables)} byte-identical")


if __name__ == "__main__":
    main()
