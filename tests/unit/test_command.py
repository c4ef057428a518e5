import argparse
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence

import pytest

from ensemble.command import positive, run_command, share_cores, some, some_positive, whole_number
from ensemble.errors import DataError, EnsembleError


@pytest.fixture(autouse=True)
def keep_signal_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


_TOO_LONG = "the name is too long. Most disks take 255 bytes for a name, and 4,095 for a path: choose a shorter one"


def raising(error: BaseException):  # type: ignore[no-untyped-def]
    def main(_argv: Sequence[str]) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("no labels"), 2, "error: no labels\n"),
        (EnsembleError("failed"), 1, "error: failed\n"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "n"), 2, f"error: n: {_TOO_LONG}\n"),
        (
            MemoryError("Unable to allocate 9 TiB"),
            1,
            "error: there is too little memory (Unable to allocate 9 TiB). Make some free\n",
        ),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            1,
            "error: there is too little memory (CUDA out of memory. Tried to allocate 2.00 GiB). Make some free\n",
        ),
        (OSError(28, "No space left on device", "runs/x"), 1, "error: runs/x: No space left on device\n"),
    ],
)
def test_errors_become_one_message_and_a_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(raising(error)) == code
    assert capsys.readouterr().err == message


def test_a_fault_of_the_program_is_shown_as_one() -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run_command(raising(RuntimeError("shape mismatch")))


@pytest.mark.parametrize("how", ["sigterm", "ctrl-c"])
def test_an_interruption_is_unfinished_not_failed(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    def main(_argv: Sequence[str]) -> int:
        if how == "ctrl-c":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    assert run_command(main) == 75
    assert "the same command goes on" in capsys.readouterr().err


def test_whole_numbers_of_flags() -> None:
    assert whole_number("007") == positive("7") == 7
    for text in ("0", "00", "-1", "x", "²"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number of at least 1"):
            positive(text)
    for text in ("-1", "1.5", "", "x", "²", "٣"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number of at least 0"):
            whole_number(text)


def test_processes_and_threads_are_counted_in_what_a_system_can_start() -> None:
    assert (some("0"), some_positive("1024")) == (0, 1024)
    for given, flag in (("1025", some), ("1000000000", some_positive)):
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected at most 1,024, got '{given}'"):
            flag(given)
    with pytest.raises(argparse.ArgumentTypeError, match="at least 1"):
        some_positive("0")


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_of_several_processes_the_first_says_that_one_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(_argv: Sequence[str]) -> int:
        sys.stdout.write("at work\n")
        return 0

    for variable in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(variable, "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert run_command(main) == 2
        said = "error: torchrun has started 2 processes, and this command is one process's work: give the command"
        assert capsys.readouterr().err.startswith(said) == (rank == "0")
        assert run_command(main, together=True) == 0
        assert capsys.readouterr().out == ("at work\n" if rank == "0" else "")
