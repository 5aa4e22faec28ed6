"""A null that keeps every unit's and every concept's own structure: circular shifts of one against the other.

The statistic is the rank sum over the concept's sites, equivalent to AUROC. Shifting the unit's ranks by k sites,
for every k at once through one Fourier transform, gives its whole null distribution. Sites are taken in windows of
at most 32,768 contiguous sites, all shifted by the same k. The first concept of a unit gets the exact share of
shifts that reach the observed value; for further concepts the normal tail with the exact variance over shifts
(Parseval) is enough.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import ndtr

from unitscope.arrays import kernel

WINDOW = 32_768


def window_length(n_sites: int) -> tuple[int, int]:
    """Number of windows and their common length, a product of 2, 3 and 5 so that transforms are fast.

    >>> window_length(40_000)
    (2, 20000)
    """
    if not n_sites:
        return 0, 0
    n_windows = -(-n_sites // WINDOW)
    length = n_sites // n_windows
    while length > 1 and fft.next_fast_len(length, real=True) != length:
        length -= 1
    return n_windows, length


class Shifts:
    """Null of circular shifts over a fixed sequence of sites."""

    def __init__(self, n_sites: int) -> None:
        self.n_windows, self.length = window_length(n_sites)

    @property
    def smallest_p(self) -> float:
        """Least p-value that can be attained."""
        return 1.0 / self.length if self.length else 1.0

    @cached_property
    def _used(self) -> int:
        return self.n_windows * self.length

    def of_concept(self, mask: NDArray[np.bool_]) -> NDArray[np.complex64]:
        """Conjugate spectrum of a mask [S], centred in each window, [windows, frequencies]."""
        if not self.length:
            return np.zeros((0, 1), np.complex64)
        folded = mask[: self._used].reshape(self.n_windows, self.length).astype(np.float32)
        # Centred, a mask that is constant in a window adds nothing at all, not even rounding.
        folded -= folded.mean(axis=-1, keepdims=True)
        return np.asarray(fft.rfft(folded, axis=-1).conj(), np.complex64)

    def of_units(self, ranks: NDArray[np.int32]) -> NDArray[np.complex64]:
        """Spectra of doubled ranks [U, S], centred in each window, [U, windows, frequencies]."""
        if not self.length:
            return np.zeros((len(ranks), 0, 1), np.complex64)
        folded = ranks[:, : self._used].reshape(len(ranks), self.n_windows, self.length).astype(np.float32)
        folded -= folded.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        folded /= np.float32(max(ranks.shape[1], 1))
        return np.asarray(fft.rfft(folded, axis=-1), np.complex64)

    def exact(
        self, units: NDArray[np.complex64], concepts: NDArray[np.complex64], signs: NDArray[np.int8]
    ) -> NDArray[np.float64]:
        """One-sided p [P]: share of shifts whose statistic, times the sign [P], reaches the observed one.

        `units` and `concepts` [P, windows, frequencies] are the spectra of each pair.
        """
        if not self.length:
            return np.ones(len(signs))
        series = fft.irfft(_cross(units, concepts), n=self.length, axis=-1)
        return _share_reached(np.ascontiguousarray(series), signs)

    def normal(
        self, units: NDArray[np.complex64], concepts: NDArray[np.complex64], signs: NDArray[np.int8]
    ) -> NDArray[np.float64]:
        """One-sided p [P] from the normal tail with the exact mean and variance over all shifts; see `exact`."""
        if not self.length:
            return np.ones(len(signs))
        observed, variance = _parseval(_cross(units, concepts), self.length).T
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(variance > 0, observed / np.sqrt(variance), 0.0)
        return np.asarray(np.maximum(ndtr(-z * signs), self.smallest_p), np.float64)


def _cross(units: NDArray[np.complex64], concepts: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Cross spectra [P, frequencies], added over windows."""
    if units.shape[1] == 1:
        return units[:, 0] * concepts[:, 0]
    return np.asarray((units * concepts).sum(axis=1), np.complex64)


@kernel
def _parseval(cross: NDArray[np.complex64], length: int) -> NDArray[np.float64]:
    """Observed statistic and variance over shifts, [P, 2], from one-sided spectra of an even or odd length."""
    n_pairs, n = cross.shape
    found = np.empty((n_pairs, 2))
    for p in range(n_pairs):
        row = cross[p]
        total, square = 0.0, 0.0
        for k in range(1, n):
            real, imaginary = float(row[k].real), float(row[k].imag)
            total += real
            square += real * real + imaginary * imaginary
        total, square = 2 * total, 2 * square
        if length % 2 == 0 and n > 1:
            real, imaginary = float(row[n - 1].real), float(row[n - 1].imag)
            total -= real
            square -= real * real + imaginary * imaginary
        found[p, 0], found[p, 1] = total / length, square / (float(length) * length)
    return found


@kernel
def _share_reached(series: NDArray[np.float32], signs: NDArray[np.int8]) -> NDArray[np.float64]:
    """Share of each row's values that, times its sign, reach the first one, [U]."""
    n_units, n = series.shape
    shares = np.empty(n_units)
    for u in range(n_units):
        greatest = np.float32(0.0)
        for k in range(n):
            greatest = max(greatest, abs(series[u, k]))
        # Rounding of the transform must not turn ties into differences.
        sign = np.float32(signs[u])
        least = sign * series[u, 0] - np.float32(1e-5) * greatest
        reached = 0
        for k in range(n):
            reached += sign * series[u, k] >= least
        shares[u] = reached / n
    return shares
