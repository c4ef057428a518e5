"""What every command does around its work: turn an error into one message and an exit code."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType

from ensemble.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_UNFINISHED, EnsembleError, printable
from ensemble.memory import lack_of_memory
from ensemble.processes import may_speak, refuse_several

_UNFIT_PATHS = {
    errno.ENAMETOOLONG: "the name is too long. Most disks take 255 bytes for a name, and 4,095 for a path: choose a "
    "shorter one",
    errno.ELOOP: "the link leads to itself. Make it anew, or give the folder or file that was meant",
    errno.ENOTDIR: "a folder was expected in its path, but there is a file",
}
"""What no file can be called, or no path can lead through: the user's input, not the machine's failure."""


_MOST = 1024  # processes or threads


def run_command(main: Callable[[Sequence[str]], int], *, together: bool = False) -> int:
    """Run ``main`` on the process's arguments and return its exit code.

    Bad input and failures become one message on stderr. SIGTERM counts as Ctrl-C: exit code 75, and the same command
    goes on later. Of processes that torchrun has started together on one machine, only the first is heard.

    Args:
        main: The command.
        together: It knows what to do as one of several such processes; else that is refused.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if may_speak():
            return _run(main, together=together)
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            return _run(main, together=together)
    finally:
        if os.environ.get("WORLD_SIZE", "1") != "1":
            # torchrun sends it to those that are left when one has ended: this process is about to, with its own code.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # At its end Python looks through all objects once more: two seconds of work after a training, for nothing.
        gc.freeze()


def _run(main: Callable[[Sequence[str]], int], *, together: bool) -> int:
    try:
        if not together:
            refuse_several("this command")
        return main(sys.argv[1:])
    except EnsembleError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt as interrupt:
        by = f" by {interrupt}" if str(interrupt) else ""
        said = f"interrupted{by}; what is finished is kept, and the same command goes on from there"
        return _fail(said, EXIT_UNFINISHED)
    except (MemoryError, RuntimeError) as error:  # torch's is a RuntimeError
        if not (lack := lack_of_memory(error)):
            raise
        return _fail(printable(f"there is too little memory ({lack}). Make some free"), EXIT_FAILED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone. Python would fail once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedy = _UNFIT_PATHS.get(error.errno or 0, "")
        said = printable(f"{where}{remedy or error.strerror or error}")
        return _fail(said, EXIT_BAD_INPUT if remedy else EXIT_FAILED)


def share_cores() -> None:
    """Let OpenMP's threads sleep while they wait for one another, unless the user has said otherwise.

    By default they spin, which is a little faster on idle cores, but on a machine that others use too it takes the
    very time away that the thread waited for needs: measured on two busy cores, training ran at a third of its speed.
    OpenMP reads this once, so it is to be called before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def whole_number(text: str) -> int:
    """The value of a flag that takes 0, 1, 2, …; argparse makes a usage error of the refusal.

    Raises:
        argparse.ArgumentTypeError: It is no such number.
    """
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    """The value of a flag that takes 1, 2, 3, … Argparse makes a usage error of the refusal.

    Raises:
        argparse.ArgumentTypeError: It is no such number.
    """
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def some(text: str) -> int:
    """The value of a flag that counts processes or threads: 0 to 1,024, for a system cannot start a million of them.

    Raises:
        argparse.ArgumentTypeError: It is no such number.
    """
    number = whole_number(text)
    if number > _MOST:
        raise argparse.ArgumentTypeError(f"expected at most {_MOST:,}, got {text!r}")
    return number


def some_positive(text: str) -> int:
    """As ``some``, from 1.

    Raises:
        argparse.ArgumentTypeError: It is no such number.
    """
    positive(text)
    return some(text)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str, exit_code: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{'unfinished' if exit_code == EXIT_UNFINISHED else 'error'}: {message}\n")
    return exit_code
