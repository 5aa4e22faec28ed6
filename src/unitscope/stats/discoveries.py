"""False discovery rate over many tests (Benjamini and Hochberg 1995)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def adjust(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini-Hochberg q-values of p-values [n]; NaN (untested) stays NaN and does not count.

    >>> adjust(np.array([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if not len(tested):
        return q
    order = tested[np.argsort(p[tested], kind="stable")]
    n = len(order)
    raw = p[order] * n / np.arange(1, n + 1)
    q[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return q
