"""What was logged while something was built, for the user to read beside the fold that it concerns."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def collected_warnings(logger: str) -> Iterator[list[str]]:
    """The warnings that ``logger`` and those below it write while the block runs, in a list that grows.

    Handlers of the application get them too. Python's last resort, stderr, does not: they would be shown twice.
    """
    collector = _Collector()
    source = logging.getLogger(logger)
    source.addHandler(collector)
    try:
        yield collector.messages
    finally:
        source.removeHandler(collector)
