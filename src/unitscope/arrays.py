"""Numbers as the statistics see them: half-precision values, their ordered 16-bit keys, and compiled kernels.

Every statistic of a run sees the same rounded values: float16 times a power of two for each unit. A float16 has at
most 65,536 distinct values, so its bits, made monotone, are *keys* that can be ranked exactly by counting in linear
time. Kernels are plain loops compiled by numba without fast-math and without threads: the same bytes come out
whatever the chunk or worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint16]
F = TypeVar("F", bound=Callable[..., Any])

N_KEYS = 1 << 16
_SMALLEST, _LARGEST = 2.0**-4, 60_000.0


def kernel(function: F) -> F:
    """Compile a loop with numba: cached on disk, no fast-math, no threads, the interpreter's lock released."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))


def halves_scale(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of two for each unit by which float32 values are divided before rounding to float16.

    `largest` [U] is the greatest finite magnitude of each unit. The scale is 1 unless values would overflow float16 or
    fall among its coarse subnormals, in which case the greatest magnitude is brought into [1, 2).

    >>> halves_scale(np.array([3.0, 1e6, 1e-6, 0.0], dtype=np.float32)).tolist()
    [1.0, 524288.0, 9.5367431640625e-07, 1.0]
    """
    needed = (largest > _LARGEST) | ((largest < _SMALLEST) & (largest > 0))
    # By bits: single-precision exp2 and log2 are not exact everywhere.
    exponent = np.frexp(np.where(needed, largest, np.float32(1.0)))[1] - 1
    return np.asarray(np.ldexp(np.float32(1.0), np.clip(exponent, -100, 127)), np.float32)


def to_keys(halves: NDArray[np.float16]) -> Keys:
    """Bits of float16 values made monotone: a < b exactly where key(a) < key(b); -0 and 0 are one key.

    NaN becomes the key 0, below minus infinity, which no number has.

    >>> to_keys(np.array([-1.0, -0.0, 0.0, 1.0], dtype=np.float16)).tolist()
    [17407, 32768, 32768, 48128]
    """
    bits = np.ascontiguousarray(halves).view(np.uint16)
    keys = _monotone(bits.reshape(-1)).reshape(halves.shape)
    return cast("Keys", keys)


@kernel
def _monotone(bits: Keys) -> Keys:
    keys = np.empty_like(bits)
    for i in range(bits.shape[0]):
        magnitude = bits[i] & 0x7FFF
        if magnitude > 0x7C00:
            keys[i] = 0
        elif bits[i] >> 15:
            keys[i] = 0x8000 - magnitude if magnitude == 0 else 0x7FFF - magnitude
        else:
            keys[i] = 0x8000 | magnitude
    return keys


@kernel
def turned(rows: Keys) -> Keys:
    """Transpose [S, U] to [U, S], by squares that stay in the cache.

    >>> turned(np.array([[1, 2], [3, 4], [5, 6]], np.uint16)).tolist()
    [[1, 3, 5], [2, 4, 6]]
    """
    n_rows, n_columns = rows.shape
    found = np.empty((n_columns, n_rows), np.uint16)
    for left in range(0, n_columns, 32):
        for top in range(0, n_rows, 32):
            for column in range(left, min(left + 32, n_columns)):
                for row in range(top, min(top + 32, n_rows)):
                    found[np.uint64(column), np.uint64(row)] = rows[np.uint64(row), np.uint64(column)]
    return found


def from_keys(keys: Keys) -> NDArray[np.float32]:
    """Values that keys stand for, as float32; invert `to_keys` (the key 0 is NaN)."""
    bits = np.where(keys >> 15, keys & np.uint16(0x7FFF), ~keys).astype(np.uint16)
    return bits.view(np.float16).astype(np.float32)


def key_table() -> NDArray[np.float32]:
    """Value of each of the 65,536 keys, as float32 [65536]: one look-up decodes a key."""
    return from_keys(np.arange(N_KEYS, dtype=np.uint16))


@kernel
def evenly_spaced_keys(values: NDArray[np.float32]) -> Keys:
    """Order-keeping codes of finite values [U, S] on 65,536 even steps from each unit's least to its greatest.

    For derived values that are only ranked: unlike float16 the steps are equal, and coding them is one pass.
    """
    n_units, n_sites = values.shape
    found = np.empty((n_units, n_sites), np.uint16)
    for u in range(n_units):
        low, high = np.float32(np.inf), np.float32(-np.inf)
        for s in range(n_sites):
            low, high = min(low, values[u, s]), max(high, values[u, s])
        step = np.float32(65_535.0) / (high - low) if high > low else np.float32(0.0)
        for s in range(n_sites):
            found[u, s] = np.uint16((values[u, s] - low) * step + np.float32(0.5))
    return found
