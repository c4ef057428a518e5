"""Where a study lies: a journal file, or a database by its URL."""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble.errors import ArtefactError, DataError
from ensemble.files import locked, storage_errors
from ensemble.runs import check_folder

if TYPE_CHECKING:
    import optuna
    from optuna.storages.journal import BaseJournalBackend

_LONGEST_LINE = 1_000_000  # bytes; Optuna's first one has some hundred


def is_url(storage: str) -> bool:
    """Whether a storage is a database."""
    return "://" in storage


def without_password(storage: str) -> str:
    """The storage as it may be shown: a URL's password as ``***``."""
    return re.sub(r"(://[^/@:]*):.*@", r"\1:***@", storage)


def open_storage(storage: str) -> optuna.storages.BaseStorage:
    """Open a study's storage; a journal that is missing is made.

    Args:
        storage: A path, or a URL as SQLAlchemy knows them.

    Raises:
        DataError: The database cannot be opened.
        ArtefactError: The journal is damaged.
    """
    import optuna  # noqa: PLC0415 - costs half a second
    from optuna.storages import JournalStorage, RDBStorage  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if is_url(storage):
        try:
            return RDBStorage(storage)
        except Exception as error:  # SQLAlchemy's drivers raise what they like
            reason = str(error).replace(storage, without_password(storage))
            raise DataError(
                f"--storage {without_password(storage)}: the database cannot be opened ({type(error).__name__}: "
                f"{reason}). Expected a file's path, or a URL such as sqlite:///study.db or "
                "postgresql+psycopg2://user@host/name"
            ) from error
    path = Path(storage)
    check_folder(path.parent, "--storage: the folder")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_other_file(path)
    try:
        return JournalStorage(_journal(path))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise ArtefactError(
            f"--storage {path}: expected the journal of a study, but it cannot be read ({error}). Move it away"
        ) from error


def _refuse_other_file(path: Path) -> None:
    """Optuna would append to whatever file there is."""
    if not path.exists():
        return
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or device"
        raise ArtefactError(f"--storage {path}: expected the journal of a study, got {what}. Give a file's name")
    with path.open("rb") as stream:
        first = stream.readline(_LONGEST_LINE)
    try:
        ours = not first or "op_code" in json.loads(first)
    except (ValueError, TypeError, RecursionError):
        ours = False
    if not ours:
        raise ArtefactError(f"--storage {path}: expected the journal of a study, got another file. Give another name")


def _journal(path: Path) -> BaseJournalBackend:
    """Optuna's journal; a refusal of the system is one error that names it."""
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    class Journal(JournalFileBackend):
        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with storage_errors(path):
                super().append_logs(logs)

    lock: Any = _JournalLock(path)
    with storage_errors(path):
        return Journal(str(path), lock_obj=lock)


class _JournalLock:
    """Ours, as it dies with its owner; optuna's own waits half a minute for one that was killed.

    It is held to append. Optuna would append to half a line, too, which a killed process or a full disk has left, and
    the journal could not be read any more: that half is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._journal, self._path = path, path.with_name(f".{path.name}.lock")
        self._threads = threading.Lock()  # the file's lock is the whole process's
        self._held = ExitStack()

    def acquire(self) -> bool:
        self._threads.acquire()
        try:
            self._held.enter_context(locked(self._path, wait=True))
            _cut_half_line(self._journal)
        except BaseException:
            self._threads.release()
            raise
        return True

    def release(self) -> None:
        try:
            with suppress(OSError):  # the next one to append tries again
                _cut_half_line(self._journal)
            self._held.close()
        finally:
            self._threads.release()


def _cut_half_line(path: Path) -> None:
    with path.open("r+b") as stream:
        content_ends = stream.seek(0, os.SEEK_END)
        if not content_ends:
            return
        stream.seek(-1, os.SEEK_END)
        if stream.read() == b"\n":
            return
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
