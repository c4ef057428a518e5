"""What libpng and libjpeg write to stderr: counted, and said in one line.

They write from C, name no file, and may repeat themselves for every image. So the process's stderr is led through a
pipe while images are decoded. What is not theirs goes on to where it would have gone, line by line.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ensemble.errors import many, printable

_STDERR = 2
# libpng's two functions for messages; the texts of libjpeg's warnings (jerror.h, JWRN_).
_THEIRS = re.compile(
    rb"libpng (warning|error): |Corrupt JPEG data|Premature end of JPEG file|Invalid SOS parameters|Inconsistent "
    rb"progression sequence|Unknown Adobe color transform|Warning: unknown JFIF revision|JPEG datastream contains"
)
_SHOWN, _LONGEST = 3, 120
_ENDING_SECONDS = 5.0


@contextmanager
def counted_remarks() -> Iterator[Counter[str]]:
    """Count the remarks of decoders while the block runs, in any thread; complete when it has ended."""
    remarks: Counter[str] = Counter()
    terminal = os.dup(_STDERR)
    read_end, write_end = os.pipe()
    os.dup2(write_end, _STDERR)
    os.close(write_end)
    reader = threading.Thread(target=_sort, args=(read_end, terminal, remarks), daemon=True)
    reader.start()
    try:
        yield remarks
    finally:
        os.dup2(terminal, _STDERR)  # the pipe's last writer is gone, and its reader comes to the end
        reader.join(_ENDING_SECONDS)
        os.close(terminal)


def _sort(read_end: int, terminal: int, remarks: Counter[str]) -> None:
    with os.fdopen(read_end, "rb") as lines:
        for line in lines:
            if _THEIRS.match(line):
                remarks[printable(line.decode("utf-8", errors="replace").strip())[:_LONGEST]] += 1
            else:
                os.write(terminal, line)


def said_of(remarks: Counter[str]) -> str:
    """One line for all of them, the most frequent first; empty without any."""
    if not remarks:
        return ""
    shown = [f"{text!r} ({many(count, 'time')})" for text, count in remarks.most_common(_SHOWN)]
    more = f" and {len(remarks) - _SHOWN} other remarks" if len(remarks) > _SHOWN else ""
    return (
        f"the libraries that decode images remarked {', '.join(shown)}{more}. Files that could not be read are refused "
        "by name; of the others the pixels were read"
    )
