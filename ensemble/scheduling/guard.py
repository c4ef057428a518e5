"""A process between a training and an engine that may kill its own children at any moment.

::

    python -m ensemble.scheduling.guard PARENT COMMAND [WORD ...]

Ray ends the children of a worker with SIGKILL when the worker ends. The guard is that child. Whatever befalls it (it
is killed, asked to stop, or process PARENT is gone), the training gets SIGTERM, saves and ends (on Linux).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from ensemble.errors import EXIT_UNFINISHED
from ensemble.scheduling.local import GRACE_SECONDS, stop_with_parent
from ensemble.stopping import end_with_parent

# An exit code above it says: killed by signal (code - 128), as shells have it.
KILLED = 128


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code; above 128: the signal that killed it."""
    parent, *command = argv
    end_with_parent(signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we were there to be told
        return EXIT_UNFINISHED
    # No thread of ours holds a lock while this one forks, as threads of an engine's worker might.
    child = subprocess.Popen(command, preexec_fn=stop_with_parent)  # noqa: PLW1509, S603

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would tell the training not to save
        child.terminate()
        signal.alarm(round(GRACE_SECONDS))

    signal.signal(signal.SIGALRM, lambda *_: child.kill())
    signal.signal(signal.SIGTERM, stop)
    code = child.wait()
    return code if code >= 0 else KILLED - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
