"""Threads and memory of this process.

Threads of numerical libraries are held to what a study says: another number could change a last bit. Memory that was
freed is given back to the system between passes, so that the peak of one does not stand under the next.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def numeric_threads(n: int) -> Iterator[None]:
    """Hold BLAS and OpenMP pools of this process, torch's among them, to `n` threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield


def release_memory() -> None:
    """Give freed memory back to the system where the C library can (glibc); elsewhere do nothing."""
    gc.collect(1)  # what lives long is not looked through again
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
