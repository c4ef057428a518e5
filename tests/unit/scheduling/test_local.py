"""Processes side by side: in order, one failing, all stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ensemble.scheduling.local import Outcome, run_all
from ensemble.scheduling.plan import PlannedRun, Progress
from ensemble.scheduling.split import Slot, gpu_slots
from ensemble.stopping import StopRequest


class Diary:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended_as: dict[str, int] = {}
        self.most_at_once = 0

    def started(self, run: PlannedRun) -> None:
        self.began.append(run.member)

    def looked(self, running: Mapping[PlannedRun, Progress], waiting: Sequence[PlannedRun]) -> None:
        self.most_at_once = max(self.most_at_once, len(running))

    def ended(self, outcome: Outcome) -> None:
        self.ended_as[outcome.run.member] = outcome.exit_code


def run_of(folder: Path, name: str, program: str) -> PlannedRun:
    return PlannedRun(name, 0, (sys.executable, "-c", program), folder / f"{name}.log", folder / f"{name}.json")


def test_one_that_fails_does_not_stop_the_others_and_says_why(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path, "a", "print('hello')"),
        run_of(tmp_path, "b", "import sys; print('one'); sys.exit('error: no such thing')"),
        run_of(tmp_path, "c", "raise SystemExit(75)"),
        run_of(tmp_path, "d", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"),
    ]
    diary = Diary()
    outcomes = {one.run.member: one for one in run_all(runs, gpu_slots(["7"], most=None), StopRequest(), diary)}
    assert diary.began == ["a", "b", "c", "d"]
    assert diary.ended_as == {"a": 0, "b": 1, "c": 75, "d": 0}
    assert outcomes["a"].done
    assert not outcomes["b"].done
    assert not outcomes["b"].unfinished
    assert outcomes["b"].last_lines == ("one", "error: no such thing")
    assert outcomes["c"].unfinished
    assert runs[3].log.read_text() == "7\n"


def test_as_many_side_by_side_as_there_are_slots(tmp_path: Path) -> None:
    diary = Diary()
    runs = [run_of(tmp_path, name, "import time; time.sleep(0.7)") for name in "abc"]
    run_all(runs, [Slot(), Slot()], StopRequest(), diary)
    assert diary.most_at_once == 2
    assert len(diary.ended_as) == 3


def test_a_request_to_stop_ends_what_runs_and_starts_no_more(tmp_path: Path) -> None:
    polite = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        f"pathlib.Path({str(tmp_path / 'up')!r}).touch()\n"
        "time.sleep(60)"
    )
    runs = [run_of(tmp_path, "a", polite), run_of(tmp_path, "b", "print('never')")]
    stop, diary = StopRequest(), Diary()

    def ask() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.02)
        stop.reason = "a test"

    thread = threading.Thread(target=ask)
    thread.start()
    outcomes = run_all(runs, [Slot()], stop, diary)
    thread.join()
    assert [(one.run.member, one.exit_code) for one in outcomes] == [("a", 75)]
    assert diary.began == ["a"]


def test_one_that_could_not_answer_yet_is_stopped_and_not_failed(tmp_path: Path) -> None:
    starting = f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(60)"
    stop, diary = StopRequest(), Diary()
    thread = threading.Thread(target=lambda: (wait_for(tmp_path / "up"), setattr(stop, "reason", "a test")))
    thread.start()
    run_all([run_of(tmp_path, "a", starting)], [Slot()], stop, diary)
    thread.join()
    killed = run_of(tmp_path, "b", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    run_all([killed], [Slot()], StopRequest(), diary)
    assert diary.ended_as == {"a": 75, "b": -signal.SIGTERM}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_trainings_stop_when_the_process_that_watches_them_is_killed(tmp_path: Path) -> None:
    child = (
        "import pathlib, signal, sys, time\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "def saved(*_):\n    (here / 'saved').touch()\n    sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, saved)\n"
        "(here / 'up').touch()\n"
        "time.sleep(60)"
    )
    parent = (
        "import sys, pathlib\n"
        "from ensemble.scheduling.local import run_all\nfrom ensemble.scheduling.split import Slot\n"
        "from ensemble.scheduling.plan import PlannedRun\n"
        "from ensemble.stopping import StopRequest\n"
        "from unittest.mock import MagicMock\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        f"run = PlannedRun('a', 0, (sys.executable, '-c', {child!r}), here / 'log', here / 'progress')\n"
        "run_all([run], [Slot()], StopRequest(), MagicMock())"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(__file__).parents[3])
    wait_for(tmp_path / "up")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(tmp_path / "saved")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
