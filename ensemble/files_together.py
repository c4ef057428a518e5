"""Files that belong together: all of them are new, or all are as they were."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ensemble.files import WAITING, storage_errors, sync_folder


@contextmanager
def written_together(*, removed: Collection[Path] = ()) -> Iterator[None]:
    """Let the files that the block writes by ``atomic_write`` get their names at its end, in the order of writing.

    Where the block fails, because the disk is full or for any other reason, what was there before stays, all of it.
    Within another such block the outer one ends it.

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
