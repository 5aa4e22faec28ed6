"""Units that say the same: clusters by correlation, one representative of each, and how much of a layer is redundant.

Distance is 1 - |rho| (or 1 - rho), clustered by average or complete linkage and cut at a distance (correlation
clustering of Dalvi et al. 2020; linkage of Sokal and Michener 1958). The representative is the member with the greatest
mean |rho| to the others; of equal ones the first. So what is left does not hang on a draw.

Beside the clusters over all sites stand those of each half: their adjusted Rand index (Hubert and Arabie 1985; 0 by
chance, 1 alike), and the redundancy each would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.rankings.correlation import chance
from unitscope.stats.cross import Doubles, Matrix, cross, standard
from unitscope.stats.halves import Halves

Linkage = Literal["average", "complete"]
MOST_UNITS = 20_000
NONE = -1


@dataclass(frozen=True)
class Clusters:
    """Clusters of U units, numbered by their first member.

    `of_unit` [U] is each unit's cluster, -1 for units that are constant or not finite; `representatives` [N] are
    columns, one a cluster; `closeness` [U] is each unit's mean |rho| to the rest of its cluster (NaN alone).
    `of_unit_a`, `of_unit_b` are the clusters of each half, `rand` their adjusted Rand index. `held_out` is the mean
    |rho| on half B of units that half A puts together, `chance` the 99th percentile over units of the greatest |rho|
    when sites are shifted.
    """

    cut: float
    linkage: Linkage
    signed: bool
    of_unit: NDArray[np.int64]
    representatives: NDArray[np.int64]
    closeness: Doubles
    of_unit_a: NDArray[np.int64]
    of_unit_b: NDArray[np.int64]
    rand: float
    held_out: float
    chance: float

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.representatives)

    def members(self, cluster: int) -> NDArray[np.intp]:
        """Columns of a cluster's units."""
        return np.flatnonzero(self.of_unit == cluster)


@dataclass(frozen=True)
class Redundancy:
    """How redundant a layer is: of `n_units` that vary, the share `removable` if each cluster keeps one unit, and the
    share `elsewhere` whose cluster holds a unit of another layer. `_a`, `_b` are the same by the clusters of a half.
    """

    layer: str
    n_units: int
    removable: float
    removable_a: float
    removable_b: float
    elsewhere: float
    elsewhere_a: float
    elsewhere_b: float


def cluster(
    x: Matrix,
    halves: Halves,
    *,
    cut: float = 0.3,
    linkage: Linkage = "average",
    signed: bool = False,
    seed: int = 0,
) -> Clusters:
    """Cluster units by correlation; those closer than the distance `cut` come together.

    Memory is 32 U^2 bytes. Raises RankingError for another linkage, a cut outside 0 to 2, or more than 20,000 units.
    """
    if linkage not in ("average", "complete"):
        raise RankingError(f"Got linkage '{linkage}'.", expected="average or complete")
    if not 0 <= cut <= 2:
        raise RankingError(f"Got {cut} as the distance to cut at.", expected="0 to 2: 1 less the correlation")
    if x.n_units > MOST_UNITS:
        raise RankingError(
            f"Got {x.n_units} units.", expected=f"at most {MOST_UNITS}", fix="Choose fewer layers: --layers."
        )
    mine = standard(x)
    usable = np.flatnonzero(mine.usable)
    part = mine.part(usable)
    product = cross(part, part, halves.half, 2)
    parts: list[NDArray[np.int64]] = []
    sizes = np.abs(product.pooled().correlation())
    for rho in (product.pooled().correlation(), product.correlation(0), product.correlation(1)):
        parts.append(_cut(rho if signed else np.abs(rho), cut, linkage))
    whole, on_a, on_b = parts
    together = on_a[:, None] == on_a[None, :]
    np.fill_diagonal(together, val=False)
    shared = np.abs(product.correlation(1))[together]
    closeness, representatives = _central(sizes, whole)
    return Clusters(
        cut=cut,
        linkage=linkage,
        signed=signed,
        of_unit=_spread(whole, usable, x.n_units),
        representatives=usable[representatives],
        closeness=_spread_figures(closeness, usable, x.n_units),
        of_unit_a=_spread(on_a, usable, x.n_units),
        of_unit_b=_spread(on_b, usable, x.n_units),
        rand=adjusted_rand(on_a, on_b),
        held_out=float(shared.mean()) if len(shared) else float("nan"),
        chance=chance(part, part, seed),
    )


def redundancy(found: Clusters, layers: Sequence[str]) -> list[Redundancy]:
    """Redundancy of each layer, in order of appearance; `layers` [U] is each unit's."""
    names = np.array(layers)
    rows = []
    for layer in dict.fromkeys(layers):
        here = names == layer
        figures = [_redundancy(of_unit, here) for of_unit in (found.of_unit, found.of_unit_a, found.of_unit_b)]
        (n_units, *whole), (_, *on_a), (_, *on_b) = figures
        rows.append(Redundancy(layer, int(n_units), whole[0], on_a[0], on_b[0], whole[1], on_a[1], on_b[1]))
    return rows


def adjusted_rand(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Adjusted Rand index of two partitions [N]: 1 if equal, 0 on average by chance.

    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    """
    first, second = (np.unique(each, return_inverse=True)[1].reshape(-1) for each in (a, b))
    if not len(first):
        return float("nan")
    joint = np.unique(first * (int(second.max()) + 1) + second, return_counts=True)[1].astype(np.float64)
    pairs = float((joint * (joint - 1)).sum()) / 2
    left, right = (float((n * (n - 1)).sum()) / 2 for n in (np.bincount(first) * 1.0, np.bincount(second) * 1.0))
    n_pairs = len(first) * (len(first) - 1) / 2
    expected = left * right / n_pairs if n_pairs else 0.0
    most = (left + right) / 2
    return 1.0 if most == expected else (pairs - expected) / (most - expected)


def _cut(likeness: Doubles, cut: float, linkage: Linkage) -> NDArray[np.int64]:
    """Cluster of each unit [N], numbered by first member, from likenesses [N, N]."""
    from scipy.cluster.hierarchy import fcluster
    from scipy.cluster.hierarchy import linkage as link
    from scipy.spatial.distance import squareform

    if len(likeness) < 2:
        return np.zeros(len(likeness), np.int64)
    # Averaged with its transpose: single-precision products need not be symmetric to the last bit.
    distance = 1.0 - (likeness + likeness.T) / 2
    np.fill_diagonal(distance, 0.0)
    condensed = np.maximum(squareform(distance, checks=False), 0.0)
    labels = fcluster(link(condensed, method=linkage), t=cut, criterion="distance")
    first = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first[1], kind="stable"), kind="stable")
    return np.asarray(order[first[2].reshape(-1)], np.int64)


def _central(sizes: Doubles, of_unit: NDArray[np.int64]) -> tuple[Doubles, NDArray[np.intp]]:
    """Mean |rho| of each unit to the rest of its cluster [N], NaN alone, and each cluster's most central unit."""
    closeness, chosen = np.full(len(of_unit), np.nan), []
    order = np.argsort(of_unit, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(of_unit[order])) + 1):
        if len(members) > 1:
            inner = sizes[np.ix_(members, members)]
            # Rounded, so that equal units are equal and the first is taken.
            closeness[members] = (inner.sum(axis=1) - np.diag(inner)) / (len(members) - 1)
            chosen.append(members[int(np.argmax(np.round(closeness[members], 6)))])
        else:
            chosen.append(members[0])
    return closeness, np.array(chosen, np.intp)


def _redundancy(of_unit: NDArray[np.int64], here: NDArray[np.bool_]) -> tuple[int, float, float]:
    """Units of a layer that vary, the share removable if each cluster keeps one unit, the share with kin elsewhere.

    A cluster that is in several layers is counted as kept, by parts, in each: so shares add up over layers.
    """
    mine = of_unit[here & (of_unit != NONE)]
    if not len(mine):
        return 0, float("nan"), float("nan")
    sizes = np.bincount(of_unit[of_unit != NONE])
    inside = np.bincount(mine, minlength=len(sizes))
    kept = float((1.0 / sizes[mine]).sum())
    return len(mine), 1.0 - kept / len(mine), float((sizes[mine] > inside[mine]).mean())


def _spread(values: NDArray[np.int64], usable: NDArray[np.intp], n: int) -> NDArray[np.int64]:
    found = np.full(n, NONE, np.int64)
    found[usable] = values
    return found


def _spread_figures(values: Doubles, usable: NDArray[np.intp], n: int) -> Doubles:
    found = np.full(n, np.nan)
    found[usable] = values
    return found
