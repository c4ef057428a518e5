"""Bad inputs through the real commands: what the user sees for each, as a Markdown table.

::

    python benchmarks/bad_inputs.py [--only images,hostile] [--match TEXT] [--fresh] [--seconds 120]

Each case (``bad_inputs_cases/``) makes its input in a folder of its own and runs one command there, in a fork of a
process that has imported everything; with ``--fresh`` in a new interpreter, as a user starts it (two to ten seconds
each). Counted are tracebacks, hangs, silent changes (exit code 0 where the input must be refused, a warning left out,
or an input file that is another one afterwards), other words than expected, and what was let in: planted code that
ran, and anything read or written outside the case's folder. Exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bad_inputs_cases import all_cases
from bad_inputs_cases.case import Case, Outcome, try_case
from fault_lab import ROOT, Child, import_all, kill_hard

FAULTS = ("traceback", "hang", "silent change", "let in", "other words")
_SHOWN = 400  # characters of what the user sees


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="LIST", help=f"of {','.join(all_cases())}")
    parser.add_argument("--match", default="", metavar="TEXT", help="only cases that have it in their names")
    parser.add_argument("--fresh", action="store_true", help="a new interpreter for each")
    parser.add_argument(
        "--seconds", type=float, default=120.0, metavar="N", help="what hangs is killed after this time"
    )
    args = parser.parse_args()
    wanted = args.only.split(",") if args.only else list(all_cases())
    if not args.fresh:
        import_all()
        for name in ("blend", "compare", "explore", "train"):
            importlib.import_module(f"ensemble.{name}")
    started, faults, n_cases = time.monotonic(), Counter[str](), 0
    for module in wanted:
        cases = [case for case in all_cases()[module] if args.match in case.name]
        print(f"\n### {module}: {len(cases)}\n\n| input | what the user sees | exit code |\n|---|---|---|")
        for case in cases:
            fault = show(case, fresh=args.fresh, seconds=args.seconds)
            faults[fault] += 1
            n_cases += 1
    counts = ", ".join(f"{faults[fault]} × {fault}" for fault in FAULTS)
    print(f"\n{n_cases} bad inputs in {time.monotonic() - started:.0f} s: {counts}")
    return int(n_cases > faults[""])


def show(case: Case, *, fresh: bool, seconds: float) -> str:
    """Run a case and print its row; the fault, if any."""

    def run(args: list[str], folder: Path) -> Outcome:
        output = folder.parent / "output.txt"
        child = (_start if fresh else _fork)(args, folder, output)
        code = child.wait(seconds)
        if code is None:
            kill_hard(child)
        said = output.read_text(encoding="utf-8", errors="replace")
        output.unlink()
        return Outcome(code, said)

    with tempfile.TemporaryDirectory() as place:
        outcome, fault = try_case(case, Path(place), run)
    seen = outcome.output.replace(str(Path(place) / "work") + "/", "")
    print(f"| {_cell(case.name)} | {_cell(_told(seen))} | {f'**{fault}** ' if fault else ''}{outcome.exit_code} |")
    return fault


def _fork(args: list[str], folder: Path, output: Path) -> Child:
    """The command in a fork of this process."""
    pid = os.fork()
    if pid:
        return Child(pid, output, time.monotonic())
    os.setsid()
    code = 1
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        sys.argv = args
        code = _run(args[0])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(name: str) -> int:
    import traceback

    from ensemble.command import run_command

    try:
        return run_command(importlib.import_module(name).main)
    except SystemExit as stop:  # argparse
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - it is what the interpreter would print
        traceback.print_exc()
        return 1


def _start(args: list[str], folder: Path, output: Path) -> Child:
    """The command as a user types it."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *args],
            stdout=stream,
            stderr=stream,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
    process.returncode = 0  # we wait for it by its number
    return Child(process.pid, output, time.monotonic())


def _told(output: str) -> str:
    """From the error on; without one, the warnings, or the last line."""
    if (place := output.find("error: ")) >= 0:
        return output[place:]
    warnings = [line for line in output.splitlines() if "warning" in line.lower()]
    return "\n".join(warnings or output.strip().splitlines()[-1:])


def _cell(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip().replace("|", "\\|")
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


if __name__ == "__main__":
    sys.exit(main())
