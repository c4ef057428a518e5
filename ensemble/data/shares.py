"""Which rows of a batch, or of a table, each of several processes takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """What one process computes of N rows.

    Attributes:
        rows: Its slice of them; never empty.
        counts: False where another process has the same slice and answers for it: there was not enough for all.
    """

    rows: slice
    counts: bool


@dataclass(frozen=True)
class Share:
    """One process's share of whatever is divided. Alone, it has everything.

    Attributes:
        rank: From 0.
        processes: How many divide.
        least: Rows that each slice has at least, if there are so many: batch normalisation cannot train on one.
    """

    rank: int = 0
    processes: int = 1
    least: int = 1

    def of(self, n_rows: int) -> Part:
        """This process's part of ``n_rows`` rows: slices follow one another by rank, sizes differ by one at most.

        Where there are too few rows, fewer slices are cut, each of ``least`` rows or more; the processes that are left
        over compute a slice that is another's, so that all take part in every exchange, and it is counted once.
        """
        slices = min(self.processes, max(1, n_rows // self.least))
        number = self.rank % slices
        size, larger = divmod(n_rows, slices)
        start = number * size + min(number, larger)
        return Part(slice(start, start + size + (number < larger)), self.rank < slices)

    def largest(self, n_rows: int) -> int:
        """Rows of the largest slice."""
        slices = min(self.processes, max(1, n_rows // self.least))
        return -(-n_rows // slices)
