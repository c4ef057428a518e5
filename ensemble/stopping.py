"""Stopping on request: Ctrl-C, SIGTERM and a time limit end a long loop between two of its steps.

A command opens ``stop_signals``. While nothing long runs, a request ends it at once. A loop that has something to put
in order first runs inside ``StopRequest.patiently``, looks at ``reason`` between its steps, and calls ``seen``. If it
has not looked after some seconds, it is interrupted where it is; if that does not help either, the process ends.

A batch system sends SIGTERM to every process of a job, and a parent that gets it passes it on: a second one is only an
echo. A second Ctrl-C is a person who does not want to wait.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ensemble.errors import EXIT_UNFINISHED

# How long a loop may go on after a request before it is interrupted, and how long after that the process ends.
_PATIENCE_SECONDS = 10.0
# The time limit's reserve: a share of it, within these seconds, and never more than half of it.
_RESERVE_FRACTION, _LEAST_RESERVE, _MOST_RESERVE = 0.1, 5.0, 30.0
_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGALRM: "the time limit"}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LONGEST_SECONDS = 10 * 365 * 24 * 3600


class StopRequest:
    """A wish to stop.

    Attributes:
        reason: Who asked, in words; empty as long as nobody has.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._patient = False
        self._waited = False
        self._seen = threading.Event()

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Inside, a first request is only noted: the block looks at ``reason`` and ends by itself."""
        self._patient = True
        self._seen.clear()
        try:
            yield
        finally:
            self._patient = False
            self._seen.set()

    def seen(self) -> None:
        """The loop has looked, and is putting things in order: it is not to be interrupted any more."""
        self._seen.set()

    def ask(self, reason: str, *, echo: bool = False) -> None:
        """Ask to stop; a second time, or where nobody waits for it, ends what runs at once.

        Args:
            reason: Who asks.
            echo: Whether a second time means no more than the first.

        Raises:
            KeyboardInterrupt: At once.
        """
        again, self.reason = bool(self.reason), self.reason or reason
        if not self._patient or self._waited or (again and not echo):
            raise KeyboardInterrupt(self.reason)
        if not again:
            threading.Thread(target=self._insist, daemon=True).start()

    def _insist(self) -> None:
        if self._seen.wait(_PATIENCE_SECONDS):
            return
        self._waited = True
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._seen.wait(_PATIENCE_SECONDS):
            sys.stderr.write("unfinished: stopped hard, as the work did not end; the same command goes on\n")
            sys.stderr.flush()
            os._exit(EXIT_UNFINISHED)


@contextmanager
def stop_signals(time_limit: float | None = None) -> Iterator[StopRequest]:
    """Turn Ctrl-C, SIGTERM and the end of ``time_limit`` into requests while the block runs.

    Args:
        time_limit: Seconds from now. The request comes a little before: a tenth of it, 5 to 30 seconds, and half of
            it where that is less.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only a main thread may have signals
        return

    def asked(number: int, _frame: FrameType | None) -> None:
        request.ask(_SIGNALS[signal.Signals(number)], echo=number != signal.SIGINT)

    before = {number: signal.signal(number, asked) for number in _SIGNALS}
    if time_limit is not None:
        reserve = min(_MOST_RESERVE, max(_LEAST_RESERVE, _RESERVE_FRACTION * time_limit), time_limit / 2)
        signal.setitimer(signal.ITIMER_REAL, time_limit - reserve)
    try:
        yield request
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Processes that are forked inside begin with these signals held back, until they take them or let them through.

    This process's other threads still take them, and its handlers run.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Requests that come inside are answered when the block has ended: for what must not stop half-way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {number: signal.signal(number, lambda got, _frame: arrived.append(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in dict.fromkeys(arrived):
            signal.raise_signal(late)


def end_only_for_parent() -> None:
    """Let this process pass over SIGTERM, unless its parent sends it.

    For a worker whose parent ends it: a batch system sends SIGTERM to all processes at once, and a worker that obeyed
    would be missed before the parent has saved. To be called while the process has no other threads; where the system
    does not say who sent a signal (macOS), it does nothing.
    """
    if not hasattr(signal, "sigwaitinfo"):
        return
    parent = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(EXIT_UNFINISHED)

    threading.Thread(target=wait, daemon=True).start()


def end_with_parent(number: signal.Signals) -> None:
    """Let Linux send this process a signal when its parent ends, as ``kill -9`` gives nobody time to tell it.

    To be called in a process that was just started. Elsewhere than on Linux it does nothing.

    Args:
        number: SIGKILL ends it whatever it does; SIGTERM lets it put things in order.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died just before
        os._exit(EXIT_UNFINISHED)


def duration_seconds(text: str) -> int:
    """``9h``, ``90m``, ``30s`` or ``1h30m`` in seconds.

    Raises:
        ValueError: It is no such duration, or none at all, or longer than ten years.
    """
    match = _DURATION.fullmatch(text) if text.isascii() else None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= _LONGEST_SECONDS:
        raise ValueError(f"expected a time such as 9h, 90m, 30s or 1h30m, got {text!r}")
    return total
