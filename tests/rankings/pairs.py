"""Two models with something in common, for tests of cross-model statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.rankings.correlation import halves_of
from unitscope.stats.halves import Halves

N_SITES = 600


def pair(n_x: int = 12, n_y: int = 9, n_shared: int = 5, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Values [S, U] and [S, V], with other means and spreads for every unit."""
    draw = np.random.default_rng(seed)
    common = draw.standard_normal((N_SITES, n_shared))
    found = []
    for n in (n_x, n_y):
        values = common @ draw.standard_normal((n_shared, n)) + 0.7 * draw.standard_normal((N_SITES, n))
        found.append((values * draw.uniform(0.1, 20, n) + draw.uniform(-50, 50, n)).astype(np.float32))
    return found[0], found[1]


def halves(n_sites: int = N_SITES) -> Halves:
    return halves_of(n_sites, np.arange(n_sites) // 10)
