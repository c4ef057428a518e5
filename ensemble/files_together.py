"""Files that belong together: all of them are new, or all are as they were; and what killed writers left of them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ensemble.files import WAITING, remove_leftovers, storage_errors, sync_folder
from ensemble.stopping import signals_deferred

_TRIES, _TRY_SECONDS = 20, 0.05
_SURELY_DEAD_SECONDS = 600.0  # a writer writes more often
"""How long a writer waits for one who is just removing what others left."""


@contextmanager
def written_together(*, removed: Collection[Path] = ()) -> Iterator[None]:
    """Let the files that the block writes by ``atomic_write`` get their names at its end, in the order of writing.

    Where the block fails, because the disk is full or for any other reason, what was there before stays, all of it. A
    signal that comes while names are given is answered when all have theirs. Within another such block the outer one
    ends it.

    Args:
        removed: Removed before the first file gets its name. A file that is also written says by its presence that
            the others are whole: it is missing while they are changed.

    Raises:
        StorageError: The disk is full, read-only or gone.
    """
    outer = WAITING.get()
    if outer is not None:
        outer += [(path, path) for path in removed]
        yield
        return
    waiting = [(path, path) for path in removed]
    token = WAITING.set(waiting)
    try:
        yield
        with signals_deferred():
            _give_names(waiting)
    finally:
        WAITING.reset(token)
        for temporary, path in waiting:
            if temporary != path:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _give_names(waiting: list[tuple[Path, Path]]) -> None:
    for temporary, path in sorted(waiting, key=lambda pair: pair[0] != pair[1]):
        with storage_errors(path):
            if temporary == path:
                path.unlink(missing_ok=True)
            else:
                temporary.replace(path)
    for folder in {path.parent for _, path in waiting if path.parent.is_dir()}:
        with storage_errors(folder):
            sync_folder(folder)


def where_written(path: Path) -> Path:
    """Where the content of ``path`` lies: within ``written_together``, for now, under another name."""
    return next((temporary for temporary, name in reversed(WAITING.get() or []) if name == path != temporary), path)


def sync_disk(folder: Path) -> None:
    """Have all that was written to the disk of ``folder`` on it: one after the other, thousands of files take minutes.

    Raises:
        OSError: The disk says that it could not be written.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        system = ctypes.CDLL(None, use_errno=True)
        if not hasattr(system, "syncfs"):  # Linux has it
            os.sync()
        elif system.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)


@contextmanager
def without_leftovers(*paths: Path) -> Iterator[None]:
    """Remove what killed writers of these files left under temporary names; the block's own are left alone by others.

    For folders where no lock file is to lie, as they are the user's. The folder itself is locked: by all who write
    together, by who removes alone. While somebody else writes there, nothing is removed; nor what was written to in
    the last minutes, for a lock on a folder of a network file system holds on one machine only.

    Args:
        paths: The files that the block writes, in one folder, which is made if it is missing.

    Raises:
        StorageError: The folder cannot be made.
    """
    folder = paths[0].parent
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_leftovers(folder, *(path.name for path in paths), unchanged_seconds=_SURELY_DEAD_SECONDS)
        _share(descriptor)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int) -> None:
    """Lock a folder together with other writers.

    Not waited for without end: who was started by ``flock FOLDER COMMAND`` would wait for the command to end.
    """
    with suppress(OSError):
        for _ in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_TRY_SECONDS)
            else:
                return
