"""The process between a training and its engine: whatever befalls it, the training saves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ensemble.scheduling.guard import KILLED

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")


def guard(program: str, *, parent: int | None = None) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "ensemble.scheduling.guard", str(parent or os.getpid())]
    return subprocess.Popen([*words, sys.executable, "-c", program], cwd=Path(__file__).parents[3])


def training(folder: Path) -> str:
    """It says when it runs, and when it was asked to stop; asked twice, it would not save."""
    return (
        "import pathlib, signal, sys, time\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "asked = []\n"
        "def stop(*_):\n"
        "    asked.append(1)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "(here / 'up').touch()\n"
        "while not asked:\n    time.sleep(0.02)\n"
        "time.sleep(0.2)\n"
        "(here / f'asked {len(asked)}').touch()\n"
        "sys.exit(75)"
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_it_ends_as_its_command_does() -> None:
    assert guard("raise SystemExit(3)").wait() == 3
    assert guard("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").wait() == KILLED + signal.SIGKILL


def test_a_request_to_stop_is_passed_on_once(tmp_path: Path) -> None:
    process = guard(training(tmp_path))
    wait_for(tmp_path / "up")
    process.terminate()
    time.sleep(0.1)
    process.terminate()
    assert process.wait() == 75
    assert (tmp_path / "asked 1").exists()


@linux
def test_a_killed_guard_leaves_a_training_that_saves(tmp_path: Path) -> None:
    process = guard(training(tmp_path))
    wait_for(tmp_path / "up")
    process.kill()
    process.wait()
    wait_for(tmp_path / "asked 1")


@linux
def test_nothing_is_started_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    assert guard(training(tmp_path), parent=1).wait() == 75
    assert not (tmp_path / "up").exists()
