"""Choosing concepts for units on half A, free of prevalence and aware of how uncertain each association is.

A unit's association with a concept is |AUROC - 1/2| less two standard errors under no association,
sqrt((n1 + n0 + 1) / (12 n1 n0)): raw average precision or IoU would favour frequent concepts, and AUROC alone the
rarest. Concepts that hold at nearly the same sites as one already chosen are passed over.

The second place is kept for the concept with the strongest partial effect within word forms, position and length
held fixed, if that is another one: what a unit tracks beyond the words it fires on is seldom its strongest concept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel
from unitscope.stats.ranks import RankSum

FURTHER_FLOOR = 0.1
"""Further concepts must be this far from chance on half A beyond two errors: in AUROC, or in standard deviations."""
MIN_SPREAD = 10.0
"""Least contrast within word forms, in sites' worth, for a partial effect to count."""


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
    return np.asarray(np.nan_to_num(np.abs(ranks.auroc - 0.5) - 2 * error, nan=-np.inf))


def partial_strength(effect: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """|effect| less two standard errors, [U, C]; minus infinity where the contrast is below 10 sites' worth."""
    enough = spread >= MIN_SPREAD
    error = 1 / np.sqrt(np.where(enough, spread, 1.0))
    return np.where(enough, np.nan_to_num(np.abs(effect) - 2 * error, nan=-np.inf), -np.inf)


@dataclass(frozen=True)
class Association:
    """What half A says of units and concepts: AUROC, its strength, partial effect and its strength, each [U, C]."""

    auroc: NDArray[np.float64]
    strength: NDArray[np.float64]
    partial: NDArray[np.float64]
    partial_strength: NDArray[np.float64]

    @classmethod
    def blank(cls, n_units: int, n_concepts: int) -> Association:
        """Nothing known yet."""
        nan, low = np.full((n_units, n_concepts), np.nan), np.full((n_units, n_concepts), -np.inf)
        return cls(nan, low, nan.copy(), low.copy())


def choose(found: Association, eligible: NDArray[np.bool_], alike: NDArray[np.bool_], n: int) -> Candidates:
    """The best `n` eligible concepts of each unit. `eligible` [C]; `alike` [C, C]."""
    strength = np.where(eligible, found.strength, -np.inf)
    partial = np.where(eligible, found.partial_strength, -np.inf)
    chosen, by_partial = _pick(strength, partial, alike, n)
    there = chosen >= 0
    at = np.maximum(chosen, 0)
    auroc = np.where(there, np.take_along_axis(found.auroc, at, axis=1), np.nan)
    gap = np.take_along_axis(found.partial, at, axis=1)
    with np.errstate(invalid="ignore"):
        rises = np.where(by_partial, gap >= 0, auroc >= 0.5)
    return Candidates(chosen, np.where(there, np.where(rises, 1, -1), 0).astype(np.int8), auroc)


@kernel
def _pick(
    strength: NDArray[np.float64], partial: NDArray[np.float64], alike: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    n_units, n_concepts = strength.shape
    chosen = np.full((n_units, n), -1, np.int32)
    by_partial = np.zeros((n_units, n), np.bool_)
    closed = np.empty(n_concepts, np.bool_)
    for u in range(n_units):
        closed[:] = False
        for k in range(n):
            best, value = -1, -np.inf
            if k == 1:
                for c in range(n_concepts):
                    if partial[u, c] > value:
                        best, value = c, partial[u, c]
                if best < 0 or value < FURTHER_FLOOR or closed[best]:
                    best, value = -1, -np.inf
                else:
                    by_partial[u, k] = True
            if best < 0:
                for c in range(n_concepts):
                    if not closed[c] and strength[u, c] > value:
                        best, value = c, strength[u, c]
                if best < 0 or (k > 0 and value < FURTHER_FLOOR):
                    break
            chosen[u, k] = best
            for c in range(n_concepts):
                if c == best or alike[best, c]:
                    closed[c] = True
    return chosen, by_partial
