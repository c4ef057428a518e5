"""How many threads linear algebra may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread in this process.

    Blending multiplies matrices of a few columns, over and over. Threads that BLAS starts for them wait for one another
    by spinning: on two cores a whole comparison took 4.5 times as long as with one thread. It also makes sums come out
    the same whatever the number of cores. Not for use inside worker threads: the limit is the whole process's.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield
