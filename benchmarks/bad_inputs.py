"""What a user sees who gives wrong input: each case is a command on a small folder that has one thing wrong.

::

    python benchmarks/bad_inputs.py [--only TEXT] [--workers N] [--markdown FILE]

Every command runs as a process of its own, as a user starts it. A case passes if the process ends by itself within
``--limit`` seconds with the exit code that is expected (2 for what is refused, 0 for what is read right), its output
holds the text that is expected, no traceback is shown, no input file was changed, planted code did not run, and nothing
outside the case's folder was read or written. Prints a table of all cases: the command, the exit code and the first
words that the user sees; then how many passed, tracebacks, hangs, changes, and what was let in.
Exit code 1 if a case did not pass.

Cases stand in ``bad_inputs_cases``: modules with a tuple ``CASES``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bad_inputs_cases

ROOT = Path(__file__).resolve().parents[1]


SECRET = "lies-outside-4711"  # noqa: S105 - planted, to be looked for
"""Stands in files outside a case's folder: it must be in nothing that a command says or writes."""


def outside(folder: Path) -> Path:
    """A folder beside that of a case, which nothing may read or write. Made when it is first asked for."""
    place = folder.parent / "outside"
    place.mkdir(exist_ok=True)
    return place


def mark_of(folder: Path) -> Path:
    """What planted code makes if it is run."""
    return outside(folder) / "RAN"


@dataclass(frozen=True)
class Case:
    """One wrong input.

    Attributes:
        name: In a few words.
        make: Fills the folder that it is given; returns the command, e.g. ``("explore", "data", "--check")``. It runs
            in that folder.
        expect: What the user must read.
        exit_code: 2: refused; 0: read right.
    """

    name: str
    make: Callable[[Path], Sequence[str]]
    expect: str
    exit_code: int = 2


@dataclass(frozen=True)
class Outcome:
    """What happened.

    Attributes:
        exit_code: None: it did not end in time.
        said: Everything that the user saw.
        faults: What is not as it should be; empty if the case passed.
        seconds: From start to end.
    """

    case: Case
    command: str
    exit_code: int | None
    said: str
    faults: tuple[str, ...]
    seconds: float


def all_cases() -> list[Case]:
    """Those of all modules, in the order of their names."""
    found = (module.name for module in pkgutil.iter_modules(bad_inputs_cases.__path__))
    names = sorted(name for name in found if not name.startswith("_"))
    modules = [importlib.import_module(f"bad_inputs_cases.{name}") for name in names]
    return [case for module in modules for case in module.CASES]


def try_case(case: Case, *, limit: float) -> Outcome:
    """Run a case in a folder of its own.

    Args:
        case: Which.
        limit: After so many seconds it hangs.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        folder.mkdir()
        module, *args = case.make(folder)
        before, beside = _contents(folder), _contents(outside(folder))
        started = time.perf_counter()
        exit_code, said = _run([sys.executable, "-m", f"ensemble.{module}", *args], folder, limit)
        seconds = time.perf_counter() - started
        changed = [file for file, digest in before.items() if _contents(folder).get(file) != digest]
        let_in = _contents(outside(folder)) != beside or _leaked(folder, said, before)
    faults = []
    if exit_code is None:
        faults.append("hangs")
    elif exit_code != case.exit_code:
        faults.append(f"exit code {exit_code}")
    if "Traceback" in said:
        faults.append("traceback")
    # Lines may be wrapped anywhere.
    if "".join(case.expect.split()) not in "".join(said.split()):
        faults.append(f"does not say {case.expect!r}")
    if let_in:
        faults.append("let in")
    if changed:
        faults.append(f"changed {', '.join(changed)}")
    said = said.replace(f"{folder}/", "")
    return Outcome(case, " ".join([module, *args]), exit_code, said, tuple(faults), seconds)


def _run(command: Sequence[str], folder: Path, limit: float) -> tuple[int | None, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "400", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        return None, str(error.stderr or "")
    return done.returncode, done.stdout + done.stderr


def _leaked(folder: Path, said: str, before: Collection[str]) -> bool:
    """Whether what lies outside is in what was said, or in a file that was not there before."""
    written = [
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() not in before
    ]
    return SECRET in said or any(SECRET.encode() in path.read_bytes() for path in written)


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table_of(outcomes: Sequence[Outcome], longest: int = 300) -> str:
    """Markdown: a row a case, with the first words that the user sees."""
    rows = ["| case | command | exit | seen | passed |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        said = " ".join(outcome.said.split()).replace("|", "\\|")
        shown = said if len(said) <= longest else f"{said[:longest]}…"
        passed = "yes" if not outcome.faults else f"**no: {'; '.join(outcome.faults)}**"
        rows.append(f"| {outcome.case.name} | `{outcome.command}` | {outcome.exit_code} | {shown} | {passed} |")
    return "\n".join(rows)


def summary_of(outcomes: Sequence[Outcome]) -> str:
    """How many passed, and what the others did."""
    counts = {
        "tracebacks": sum("traceback" in outcome.faults for outcome in outcomes),
        "hangs": sum("hangs" in outcome.faults for outcome in outcomes),
        "let in": sum("let in" in outcome.faults for outcome in outcomes),
        "silent changes": sum(any(fault.startswith("changed") for fault in outcome.faults) for outcome in outcomes),
    }
    passed = sum(not outcome.faults for outcome in outcomes)
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"{passed} of {len(outcomes)} cases passed; {told}; slowest {max(one.seconds for one in outcomes):.1f} s"


def main() -> int:
    """Try the cases and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds this")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes at once (default: 2)")
    parser.add_argument("--limit", type=float, default=120.0, metavar="SECONDS", help="that a case may take")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there, too")
    args = parser.parse_args()
    cases = [case for case in all_cases() if args.only in case.name]
    if not cases:
        raise SystemExit(f"no case's name holds {args.only!r}")
    with ThreadPoolExecutor(args.workers) as pool:
        outcomes = list(pool.map(partial(try_case, limit=args.limit), cases))
    print(table_of(outcomes))
    print(f"\n{summary_of(outcomes)}")
    if args.markdown is not None:
        args.markdown.write_text(f"{table_of(outcomes, 2000)}\n\n{summary_of(outcomes)}\n", encoding="utf-8")
    return int(any(outcome.faults for outcome in outcomes))


if __name__ == "__main__":
    sys.modules["bad_inputs"] = sys.modules["__main__"]  # the cases import this module by its name
    sys.exit(main())
