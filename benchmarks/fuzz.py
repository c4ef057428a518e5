"""Thousands of inputs that nobody would write: each is read right, or refused by an ``EnsembleError``.

::

    python benchmarks/fuzz.py [--cases 20000] [--only labels,recipes,tables,images] [--seed N]

Hypothesis makes a sound input and writes it in one of many ways; half of them are then damaged, byte by byte. What was
not damaged has to be read back exactly. What was damaged may be refused, or read as something that is whole: labels of
0, 1 and nothing, a recipe that survives being written and read, finite shapes. Anything else that is raised is a fault,
shown with the smallest input that causes it. Prints how many were read and how many refused. 20,000 cases take five
to ten minutes on a quiet core. The same in small runs with the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from fuzz_parts import READ, REFUSED
from fuzz_subjects import SUBJECTS
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st


def fuzz(name: str, cases: int, folder: Path, *, start: int | None = None) -> Counter[str]:
    """Try many inputs.

    Args:
        name: Of ``SUBJECTS``.
        cases: How many.
        folder: For the files.
        start: Seed; None: always the same inputs.

    Returns:
        How many were read, and how many refused.

    Raises:
        Exception: What an input caused that is neither right nor an ``EnsembleError``.
    """
    counts: Counter[str] = Counter()

    def one(data: st.DataObject) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decoders; the commands do so, too
            counts[SUBJECTS[name](data, folder)] += 1

    check = given(st.data())(one)
    check = seed(start)(check) if start is not None else check
    settings(
        max_examples=cases,
        derandomize=start is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(check)()
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, metavar="N", help="in all (default: 20000)")
    parser.add_argument("--only", default=",".join(SUBJECTS), metavar="LIST")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    wanted, faults, total = args.only.split(","), 0, 0
    print("| input | cases | read | refused | faults | seconds |\n|---|---|---|---|---|---|", flush=True)
    for name in wanted:
        started = time.monotonic()
        counts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            fault = ""
            try:
                counts = fuzz(name, -(-args.cases // len(wanted)), Path(folder), start=args.seed)
            except Exception:  # noqa: BLE001 - that is what is looked for
                fault = traceback.format_exc()
        faults += bool(fault)
        total += sum(counts.values())
        cells = (name, sum(counts.values()), counts[READ], counts[REFUSED], int(bool(fault)))
        print(f"| {' | '.join(map(str, cells))} | {time.monotonic() - started:.0f} |\n{fault}", end="", flush=True)
    print(f"\n{total:,} cases, {faults} kinds of input with a fault")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
