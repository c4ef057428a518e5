"""Whose a running trial is, and whether that process is still there.

Optuna's own heartbeat works for databases alone. Here each trial carries its owner and when it was last seen, as user
attributes, so that it works for every storage: an owner on this machine is looked up, and of one elsewhere it is
known by its silence.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

OWNER, SEEN = "owner", "seen"
_INTERVAL_SECONDS = 20.0


def this_process() -> dict[str, str | int]:
    """Host (and which of its process tables), process id, and when the process was started: ids come again."""
    return {"host": _host(), "pid": os.getpid(), "started": _started(os.getpid())}


def is_gone(attributes: Mapping[str, Any], *, started_at: float, silence_seconds: float) -> bool:
    """Whether the owner of a running trial has ended.

    Args:
        attributes: Of the trial.
        started_at: When the trial was started, in seconds since 1970.
        silence_seconds: After how long without a sign an owner elsewhere counts as gone.
    """
    owner = attributes.get(OWNER)
    if isinstance(owner, Mapping) and owner.get("host") == _host():
        return _started(int(owner["pid"])) != owner.get("started")
    return time.time() - float(attributes.get(SEEN, started_at)) > silence_seconds


@contextmanager
def signs_of_life(sign: Callable[[float], None], interval: float = _INTERVAL_SECONDS) -> Iterator[None]:
    """Call ``sign`` with the time now and then, from a thread, while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(interval):
            with suppress(Exception):  # a sign that is missed is no reason to stop: the next one may come
                sign(time.time())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _host() -> str:
    """Containers may share a host's name, but not its process ids."""
    try:
        table = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        table = ""
    return f"{socket.gethostname()} {table}".rstrip()


def _started(pid: int) -> str:
    """When a process was started, as the system counts; empty if there is none, ``?`` where it does not say."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        # What follows the name, which may hold anything: the state is the first field, the start the twentieth.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "?"
    return "" if fields[0] in "ZX" else fields[19]
