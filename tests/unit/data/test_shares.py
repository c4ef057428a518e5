"""Every row is counted once, whoever computes it, and nobody is left without a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ensemble.data.shares import Part, Share

COUNTS = st.integers(1, 40)


@given(n_rows=COUNTS, processes=st.integers(1, 12), least=st.integers(1, 3))
def test_counted_slices_are_all_rows_in_order_and_nearly_even(n_rows: int, processes: int, least: int) -> None:
    parts = [Share(rank, processes, least).of(n_rows) for rank in range(processes)]
    counted = [part.rows for part in parts if part.counts]
    assert [row for rows in counted for row in range(n_rows)[rows]] == list(range(n_rows))
    sizes = [rows.stop - rows.start for rows in counted]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(least, n_rows)
    assert Share(0, processes, least).largest(n_rows) == max(sizes)
    assert len(counted) == processes or min(sizes) < 2 * least
    assert all(part.rows in counted for part in parts)


@given(n_rows=COUNTS)
def test_alone_one_has_everything(n_rows: int) -> None:
    assert Share().of(n_rows) == Part(slice(0, n_rows), True)


def test_too_few_rows_for_all() -> None:
    shares = [Share(rank, 3, least=2).of(4) for rank in range(3)]
    assert shares == [Part(slice(0, 2), True), Part(slice(2, 4), True), Part(slice(0, 2), False)]
