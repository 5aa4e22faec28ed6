"""Threads of numerical libraries, held to what a study says: another number of threads could change a last bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def numeric_threads(n: int) -> Iterator[None]:
    """Hold BLAS and OpenMP pools of this process, torch's among them, to `n` threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield
