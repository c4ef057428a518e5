"""How long commands take to answer ``--help``, beside the import of torch.

::

    python benchmarks/startup.py [--quick] [--repeats 15]

Each command, ``python -c pass`` and ``python -c "import torch"`` are started in turn, each in a process of its own,
again and again; the first round warms the disk's cache and is not counted. Shown are medians of the wall time, and each
as a share of torch's. ``--quick`` makes three rounds. Exits with 1 if ``blend`` or ``train`` takes more than a quarter
of torch's time.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

_IS_COMMAND = re.compile(r"run_command\(main[,)]")
ROOT = Path(__file__).resolve().parents[1]
MOST = 0.25
PROMISED = ("ensemble.blend", "ensemble.train")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, metavar="N")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    args = parser.parse_args()
    starts = {"import torch": ["-c", "import torch"], "pass": ["-c", "pass"]}
    starts |= {f"{name} --help": ["-m", name, "--help"] for name in commands()}
    seconds = measure(starts, 3 if args.quick else args.repeats)
    torch = seconds["import torch"]
    print(f"{'python …':28}{'ms':>8}{'÷ import torch':>18}")
    for name, taken in seconds.items():
        print(f"{name:28}{1000 * taken:8.0f}{taken / torch:18.3f}")
    slow = [name for name in PROMISED if seconds[f"{name} --help"] > MOST * torch]
    print(f"more than {MOST} × torch's: {', '.join(slow) or 'neither of ' + ' and '.join(PROMISED)}")
    return 1 if slow else 0


def commands() -> list[str]:
    """The modules that are run by ``python -m``."""
    files = sorted((ROOT / "ensemble").glob("*.py"))
    return [f"ensemble.{file.stem}" for file in files if _IS_COMMAND.search(file.read_text(encoding="utf-8"))]


def measure(starts: dict[str, list[str]], repeats: int) -> dict[str, float]:
    """Median seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(repeats + 1):
        for name, words in starts.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in taken.items()}


if __name__ == "__main__":
    sys.exit(main())
