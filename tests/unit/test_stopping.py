"""Requests to stop: noted where a loop looks for them, at once elsewhere, and never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ensemble import stopping
from ensemble.stopping import StopRequest, duration_seconds, stop_signals


@pytest.mark.parametrize(
    ("text", "seconds"), [("9h", 32400), ("90m", 5400), ("30s", 30), ("1h30m", 5400), ("1h1m1s", 3661), ("007s", 7)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "90", "h", "1.5h", "-1h", "30m1h", "1h 30m", "9H", "²s", "99999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 9h, 90m, 30s or 1h30m, got"):
        duration_seconds(text)


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGALRM, "the time limit")]
)
def test_a_patient_loop_is_told_once_and_interrupted_the_second_time(number: signal.Signals, reason: str) -> None:
    with stop_signals() as stop, stop.patiently():
        assert stop.reason == ""
        os.kill(os.getpid(), number)
        assert stop.reason == reason
        with pytest.raises(KeyboardInterrupt, match=reason):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGALRM])
def test_a_second_sigterm_is_an_echo_of_the_first(number: signal.Signals) -> None:
    with stop_signals() as stop, stop.patiently():
        os.kill(os.getpid(), number)
        first = stop.reason
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason == first


def test_a_worker_ends_for_its_parent_alone() -> None:
    program = """
import os, signal, sys, time
from ensemble.stopping import end_only_for_parent
end_only_for_parent()
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        other = f"import os, signal; os.kill({worker.pid}, signal.SIGTERM)"
        subprocess.run([sys.executable, "-c", other], check=True)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.3)
        worker.terminate()
        assert worker.wait(30) == 75


def test_a_process_begins_with_signals_held_back() -> None:
    show = [sys.executable, "-c", "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))"]
    with stopping.held_back(signal.SIGTERM):
        inside = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    outside = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert ("SIGTERM" in inside, "SIGTERM" in outside) == (True, False)


def test_what_must_not_stop_half_way_ends_first() -> None:
    ended = []

    def work() -> None:
        with stopping.signals_deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            ended.append("well")
        ended.append("too late")

    with stop_signals(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        work()
    assert ended == ["well"]


def test_outside_of_a_loop_a_request_interrupts_at_once() -> None:
    with stop_signals(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with stop_signals(3600):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3500
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_time_limit_asks_before_it_is_over() -> None:
    started = time.monotonic()
    with stop_signals(0.2) as stop, stop.patiently():
        while not stop.reason and time.monotonic() - started < 5:
            time.sleep(0.005)
        assert (stop.reason, time.monotonic() - started >= 0.09) == ("the time limit", True)


@pytest.mark.parametrize(("limit", "asked"), [(4, 2), (20, 15), (200, 180), (36000, 35970)])
def test_the_reserve(limit: int, asked: int) -> None:
    with stop_signals(limit):
        assert asked - 1 < signal.getitimer(signal.ITIMER_REAL)[0] <= asked


def test_a_loop_that_does_not_look_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_PATIENCE_SECONDS", 0.1)

    def stuck(stop: StopRequest) -> None:
        with stop.patiently():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with stop_signals() as stop, pytest.raises(KeyboardInterrupt):
        stuck(stop)


def test_a_loop_that_looks_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_PATIENCE_SECONDS", 0.05)
    with stop_signals() as stop, stop.patiently():
        os.kill(os.getpid(), signal.SIGTERM)
        stop.seen()
        time.sleep(0.2)


def test_a_process_that_cannot_be_interrupted_ends_all_the_same() -> None:
    program = """
import os, signal, sys
from ensemble import stopping
stopping._PATIENCE_SECONDS = 0.1
with stopping.stop_signals() as stop, stop.patiently():
    os.kill(os.getpid(), signal.SIGTERM)
    while True:
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 75
    assert done.stderr == "unfinished: stopped hard, as the work did not end; the same command goes on\n"


def test_in_another_thread_signals_are_left_alone() -> None:
    found: list[StopRequest] = []

    def work() -> None:
        with stop_signals(1) as stop:
            found.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].reason == ""
