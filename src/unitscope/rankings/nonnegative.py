"""Non-negative matrix factorisation of sites x units, streamed: X ~ W H with both at least 0.

Hierarchical alternating least squares (Cichocki and Phan 2009): each factor in turn is set to its least-squares
optimum, negative entries to 0. Rows of W depend on H alone, so one sweep is one pass over the sites that updates W and
adds up what H needs, W'W and W'X. The start is that of singular vectors (Boutsidis and Gallopoulos 2008), so nothing is
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from unitscope.arrays import kernel
from unitscope.errors import RankingError
from unitscope.stats.cross import Doubles, Floats, Standard

SWEEPS, INNER, ALONE, TOLERANCE, TINY = 60, 2, 60, 1e-5, 1e-12


@dataclass(frozen=True)
class Positive:
    """Values of units at sites, those below 0 as 0, times `scale` [U]: one over their root mean square."""

    x: Standard
    scale: Floats

    def pieces(self, keep: NDArray[np.bool_] | None = None) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Sites to keep and their values, block by block."""
        for rows, values in self.x.matrix.blocks():
            here = np.arange(rows.start, rows.stop)
            if keep is not None:
                here, values = here[keep[rows]], values[keep[rows]]
            if len(here):
                found = np.maximum(values, 0) * self.scale
                found[:, self.scale == 0] = 0  # what is not finite
                yield here, found

    def projected(self, loadings: Doubles) -> tuple[Floats, Doubles, Doubles]:
        """Of all sites: strength of given factors [S, K], squared error [S], sum of squares [S]."""
        n = self.x.matrix.n_sites
        strengths, missed, whole = np.zeros((n, len(loadings)), np.float32), np.zeros(n), np.zeros(n)
        gram = loadings @ loadings.T
        for here, values in self.pieces():
            cross = values @ loadings.T
            found = np.zeros(cross.shape)
            relax(found, cross, gram, ALONE)
            strengths[here] = found
            whole[here] = (values.astype(np.float64) ** 2).sum(axis=1)
            missed[here] = whole[here] - 2 * (found * cross).sum(axis=1) + ((found @ gram) * found).sum(axis=1)
        return strengths, np.maximum(missed, 0.0), whole


def positive(x: Standard) -> tuple[Positive, float]:
    """Values made non-negative and alike in size, and the share of squares below 0 that this drops.

    `x` has all columns of its matrix. Raises RankingError where no unit is above 0 anywhere.
    """
    above, below = np.zeros(x.n_units), np.zeros(x.n_units)
    for _, values in x.matrix.blocks():
        above += (np.maximum(values, 0) ** 2).sum(axis=0, dtype=np.float64)
        below += (np.minimum(values, 0) ** 2).sum(axis=0, dtype=np.float64)
    usable = x.usable & (np.where(x.usable, above, 0.0) > 0)
    if not usable.any():
        raise RankingError(
            "No unit has values above 0.", expected="non-negative units for nmf", fix="Take the way svd."
        )
    mean = np.where(usable, above, 1.0) / x.matrix.n_sites
    scale = np.where(usable, 1 / np.sqrt(mean), 0.0).astype(np.float32)
    dropped = below[x.usable].sum() / max((above + below)[x.usable].sum(), TINY)
    return Positive(x, scale), float(dropped)


def fit(of: Positive, keep: NDArray[np.bool_], k: int) -> Doubles:
    """Loadings H [K, U] of K factors at the sites to keep [S]; each row of length 1."""
    n_units = of.x.n_units
    loadings = _start(of, keep, k)
    strengths = np.zeros((len(keep), k))
    fresh, reached = True, np.inf
    for _ in range(SWEEPS):
        gram, product, total, own = loadings @ loadings.T, np.zeros((n_units, k)), 0.0, np.zeros((k, k))
        for here, values in of.pieces(keep):
            cross = (values @ loadings.T).astype(np.float64)
            part = np.ascontiguousarray(strengths[here])
            relax(part, cross, gram, ALONE if fresh else INNER)
            strengths[here] = part
            product += values.T @ part
            own += part.T @ part
            total += float((values.astype(np.float64) ** 2).sum())
        fresh = False
        turned = np.ascontiguousarray(loadings.T)
        relax(turned, product, own, INNER)
        missed = total - 2 * float((turned * product).sum()) + float(((turned @ own) * turned).sum())
        loadings = np.ascontiguousarray(turned.T)
        if reached - missed <= TOLERANCE * total:
            break
        reached = missed
    return np.asarray(loadings / np.maximum(np.linalg.norm(loadings, axis=1, keepdims=True), TINY))


@kernel
def relax(found: Doubles, cross: Doubles, gram: Doubles, sweeps: int) -> None:
    """Improve `found` [N, K] in place: each row's non-negative least squares, by its own coordinates in turn.

    `cross` [N, K] are the rows' products with the factors, `gram` [K, K] the factors' with each other.
    """
    n, k = found.shape
    for i in range(n):
        row = found[i]
        for _ in range(sweeps):
            most = 0.0
            for f in range(k):
                if gram[f, f] <= 0.0:
                    row[f] = 0.0
                    continue
                slope = cross[i, f]
                for g in range(k):
                    slope -= row[g] * gram[g, f]
                moved = max(row[f] + slope / gram[f, f], 0.0)
                most = max(most, abs(moved - row[f]))
                row[f] = moved
            if most <= 1e-9:
                break


def _start(of: Positive, keep: NDArray[np.bool_], k: int) -> Doubles:
    """Loadings to start from [K, U]: the stronger of the positive and negative parts of each singular vector."""
    gram = np.zeros((of.x.n_units, of.x.n_units))
    for _, values in of.pieces(keep):
        gram += values.T @ values
    n = len(gram)
    _, vectors = eigh(gram, subset_by_index=[n - k, n - 1], check_finite=False)
    vectors = np.ascontiguousarray(vectors[:, ::-1])
    sides = np.zeros((2, k))
    for _, values in of.pieces(keep):
        along = values @ vectors
        sides[0] += (np.maximum(along, 0) ** 2).sum(axis=0)
        sides[1] += (np.minimum(along, 0) ** 2).sum(axis=0)
    up, down = np.maximum(vectors, 0), np.maximum(-vectors, 0)
    stronger = sides[0] * (up**2).sum(axis=0) >= sides[1] * (down**2).sum(axis=0)
    # Zeros would stay as they are nowhere, but where a whole factor is 0 it can never start.
    return np.ascontiguousarray(np.where(stronger, up, down).T + 1e-4 / np.sqrt(n))
