"""Choosing concepts for units on half A, free of prevalence and aware of how uncertain each association is.

A unit's association with a concept is |AUROC - 1/2| less two standard errors under no association,
sqrt((n1 + n0 + 1) / (12 n1 n0)): raw average precision or IoU would favour frequent concepts, and AUROC alone the
rarest. Concepts that hold at nearly the same sites as one already chosen are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.stats.ranks import RankSum

FURTHER_FLOOR = 0.1
"""A unit's further concepts must differ from chance by at least this much AUROC on half A, beyond two errors."""


@dataclass(frozen=True)
class Candidates:
    """Concepts [U, K] (-1: none), signs [U, K] (+1, -1, 0) and AUROC on half A [U, K] of each unit, best first."""

    concept: NDArray[np.int32]
    sign: NDArray[np.int8]
    auroc: NDArray[np.float64]

    def without(self, units: NDArray[np.bool_]) -> Candidates:
        """No candidates for some units."""
        concept, sign, auroc = self.concept.copy(), self.sign.copy(), self.auroc.copy()
        concept[units], sign[units], auroc[units] = -1, 0, np.nan
        return Candidates(concept, sign, auroc)


def association(ranks: RankSum) -> NDArray[np.float64]:
    """|AUROC - 1/2| less two standard errors, [U, C]; minus infinity where undefined."""
    inside = ranks.concept.astype(np.float64)
    outside = ranks.n_sites - inside
    pairs = inside * outside
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt((ranks.n_sites + 1) / (12 * np.where(pairs > 0, pairs, np.nan)))
    return np.nan_to_num(np.abs(ranks.auroc - 0.5) - 2 * error, nan=-np.inf)


def choose(
    auroc: NDArray[np.float64],
    strength: NDArray[np.float64],
    eligible: NDArray[np.bool_],
    alike: NDArray[np.bool_],
    n: int,
) -> Candidates:
    """The best `n` eligible concepts of each unit. `auroc`, `strength` [U, C]; `eligible` [C]; `alike` [C, C]."""
    chosen = _pick(np.where(eligible, strength, -np.inf), alike, n, FURTHER_FLOOR)
    there = chosen >= 0
    values = np.where(there, np.take_along_axis(auroc, np.maximum(chosen, 0), axis=1), np.nan)
    with np.errstate(invalid="ignore"):
        sign = np.where(there, np.where(values >= 0.5, 1, -1), 0)
    return Candidates(chosen, sign.astype(np.int8), values)


@kernel
def _pick(strength: NDArray[np.float64], alike: NDArray[np.bool_], n: int, floor: float) -> NDArray[np.int32]:
    n_units, n_concepts = strength.shape
    chosen = np.full((n_units, n), -1, np.int32)
    closed = np.empty(n_concepts, np.bool_)
    for u in range(n_units):
        closed[:] = False
        for k in range(n):
            best, value = -1, -np.inf
            for c in range(n_concepts):
                if not closed[c] and strength[u, c] > value:
                    best, value = c, strength[u, c]
            if best < 0 or (k > 0 and value < floor):
                break
            chosen[u, k] = best
            closed[best] = True
            for c in range(n_concepts):
                if alike[best, c]:
                    closed[c] = True
    return chosen
