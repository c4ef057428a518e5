"""Files written whole or not at all, hashed, and locked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from ensemble.errors import ArtefactError, StorageError

_REMEDIES = {
    errno.ENOSPC: "Make room on that disk",
    errno.EDQUOT: "Make room within your quota there",
    errno.EROFS: "That disk is read-only: choose another place",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Choose a place that you may write to"),
    errno.ENOENT: "Its folder has been removed: see to it that it stays",
}
WAITING: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("WAITING", default=None)
"""Within ``ensemble.files_together.written_together``: whole temporary files, and the names that they will get."""

_ANEW = "Put an undamaged copy back, or remove it and run the command that wrote it again"
_LOCK_TRIES = 100  # that the file is another one each time is a fault of the disk: ``HeldLock.check`` says so


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of ``path`` for bytes; on success it is synced and renamed to ``path``.

    A crash at any moment leaves the old file or the new one, never a part of it. Within ``written_together`` it is
    renamed when all the files are whole.

    Args:
        path: The final name. Its folder is made if it is missing.

    Raises:
        StorageError: The disk is full, read-only or gone.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    waiting = WAITING.get()
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if waiting is None:
                temporary.replace(path)
                sync_folder(path.parent)
            else:
                waiting.append((temporary, path))
    finally:
        if waiting is None or (temporary, path) not in waiting:
            with suppress(OSError):  # a read-only disk refuses even to remove what is not there
                temporary.unlink(missing_ok=True)


@contextmanager
def storage_errors(path: Path, done: str = "written") -> Iterator[None]:
    """Turn the system's refusals into one error that names ``path``: a failed write knows no file's name.

    ``done`` is what cannot be: ``written`` or ``read``.

    Raises:
        StorageError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: it cannot be {done} ({error.strerror or error}). What was there before is as it was. "
            f"{_REMEDIES.get(error.errno or 0, 'See to it')}, and give the same command again"
        ) from error


def append_line(path: Path, line: str) -> None:
    """Add a line of text to a file, which may be missing; all of it or, where the disk is full, nothing.

    Raises:
        StorageError: The disk is full, read-only or gone.
    """
    with storage_errors(path), path.open("ab", buffering=0) as stream:
        before = stream.seek(0, os.SEEK_END)
        content = f"{line}\n".encode()
        if stream.write(content) != len(content):
            stream.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def remove_leftovers(folder: Path, *names: str, unchanged_seconds: float = 0.0) -> None:
    """Remove the temporary files of writers that were killed. To be called under the lock of ``folder``.

    Args:
        folder: It may be missing.
        names: Of the files that the lock guards; none: it guards all in the folder.
        unchanged_seconds: So long nothing was written to what is removed.
    """
    latest = time.time() - unchanged_seconds
    of_names = re.compile(rf"\.({'|'.join(map(re.escape, names))})\.[0-9a-f]+\.tmp")
    for left in folder.glob(".*.tmp"):
        if not names or of_names.fullmatch(left.name):
            with suppress(FileNotFoundError):
                if not unchanged_seconds or left.stat().st_mtime < latest:
                    left.unlink()


def sync_folder(folder: Path) -> None:
    """A rename is only on disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, line ends untouched, atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` as indented JSON, atomically. NaN and infinity are refused: they are not JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ArtefactError: The file is missing, is not JSON, or does not hold an object.
    """
    _refuse_pipe(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise ArtefactError(f"{path}: the file is missing") from error
    except (ValueError, OSError, RecursionError) as error:  # the last: thousands of brackets within one another
        raise ArtefactError(f"{path}: expected a JSON file, but it cannot be read ({error}). {_ANEW}") from error
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: expected a JSON object, got {type(content).__name__}. {_ANEW}")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _refuse_pipe(path: Path) -> None:
    """Who opens a pipe waits for its other end, for ever if there is none."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ArtefactError(f"{path}: expected a file, got a pipe or device. {_ANEW}")


def sha256_of_bytes(content: bytes) -> str:
    """Hex digest of ``content``."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces.

    Raises:
        ArtefactError: It is a pipe or device.
    """
    _refuse_pipe(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class HeldLock:
    """A lock file that this process holds."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path = path
        self._stream = stream

    def check(self) -> None:
        """See that the file is still where it was: where it was removed, another process may hold a new one.

        Raises:
            StorageError: It was removed or replaced.
        """
        if not _is_at(self._path, self._stream):
            raise StorageError(
                f"{self._path.parent} was removed or replaced while this process worked there; nothing more was "
                "written to it. Give the same command again to start it anew"
            )


def _is_at(path: Path, stream: BinaryIO) -> bool:
    held = os.fstat(stream.fileno())
    try:
        there = path.stat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[HeldLock]:
    """Hold the lock file ``path`` while the block runs.

    POSIX ``lockf``, not ``flock``: a forked data worker does not inherit it, so it dies with its owner.

    Args:
        path: The lock file; it is made if missing and stays behind empty.
        wait: Wait for the present owner instead of refusing.

    Raises:
        ArtefactError: Another process holds the lock, and ``wait`` is false.
        StorageError: No file can be made there.
    """
    stream = _hold(path, wait=wait)
    for _ in range(_LOCK_TRIES):
        if _is_at(path, stream):
            break
        stream.close()  # its owner has removed the folder, so that nobody else would ever meet this lock
        stream = _hold(path, wait=wait)
    with stream:
        yield HeldLock(path, stream)


def _hold(path: Path, *, wait: bool) -> BinaryIO:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with ExitStack() as opened:
        opened.enter_context(stream)
        try:
            with storage_errors(path):
                fcntl.lockf(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except StorageError as error:
            if not isinstance(error.__cause__, BlockingIOError | PermissionError):
                raise
            raise ArtefactError(
                f"{path.parent} is in use by another process. Wait for it to end, or stop it; nothing was changed"
            ) from error
        opened.pop_all()
    return stream
