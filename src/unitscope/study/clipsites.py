"""Which sites of a unit its clips show, and the unit's values around them: chosen where whole units are in memory.

`top` and `low` are its highest and lowest sites, one an item; `band` sites are drawn from bands of its quantiles, so
that a reader sees what a middling value looks like, not only extremes; `random` sites are drawn from all; `missed` ones
have the concept it was tested with first, on the half on which it was tested, and leave the unit at or below its
median. Highest sites alone make almost any unit look clean: Bolukbasi et al. 2021, "An interpretability illusion for
BERT", arXiv:2104.07143.

Draws depend on the study's seed, the layer's address and the unit's index alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, kernel
from unitscope.models.base import Layer
from unitscope.stats.halves import Halves
from unitscope.stats.view import Columns, View
from unitscope.study.prepare import Sites

N_EXTREME, N_OTHER_END, N_IN_BAND, N_RANDOM, N_MISSED = 12, 6, 2, 5, 5
BANDS = ((0.99, 1.0), (0.9, 0.99), (0.5, 0.9), (0.0, 0.5))
"""Shares of the sites, counted from the end at which the unit is off; mirrored for a unit that falls on its concept."""
KINDS = ("top", "low", "band", "random", "missed")
SIZES = (N_EXTREME, N_EXTREME, N_IN_BAND * len(BANDS), N_RANDOM, N_MISSED)
WINDOW = 60
"""Words shown of a longer text."""
OF_IMAGES, N_OTHER_END_OF_IMAGES = (8, 8, 1, 2, 2), 4
"""Clips of each kind (of each band) on a grid of an image's cells, whose clips hold the values of all cells."""
_OF_IMAGES = np.concatenate(
    [
        np.tile(np.arange(size // n) < kept, n)
        for size, kept, n in zip(SIZES, OF_IMAGES, (1, 1, len(BANDS), 1, 1), strict=True)
    ]
)
_EDGES = (1.0, 0.99, 0.9, 0.5, 0.0)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Clipping:
    """How clips of a block of units are drawn: a 63-bit seed, the first unit's index, most sites shown (0: all)."""

    seed: int
    start: int = 0
    window: int = WINDOW

    @classmethod
    def of(cls, seed: int, layer: Layer, start: int = 0) -> Clipping:
        """For the units of a layer from `start`, by a study's seed."""
        digest = hashlib.sha256(f"{seed}:{layer.address}".encode("utf-8", "surrogatepass")).digest()
        return cls(int.from_bytes(digest[:8], "big") >> 1, start, window_on(layer.grid))


@dataclass(frozen=True)
class Places:
    """What drawing needs of a grid's S sites, whatever the unit.

    `item` [S] counts items from 0 without gaps; item i's sites are starts[i] ... starts[i + 1]; `order` [S] is one
    random order of the sites, which every unit walks from a place of its own.
    """

    item: NDArray[np.int32]
    starts: NDArray[np.int64]
    position: NDArray[np.int32]
    length: NDArray[np.int32]
    order: NDArray[np.int32]
    half_b: NDArray[np.bool_]

    @classmethod
    def of(cls, sites: Sites, halves: Halves, n_shown: NDArray[np.int32] | None = None) -> Places:
        """From the sites of a frame, items in order. `n_shown` [S]: sites of each one's item, if not `length`."""
        n = len(sites.item)
        new = np.concatenate([[True], sites.item[1:] != sites.item[:-1]]) if n else np.zeros(0, np.bool_)
        starts = np.concatenate([np.flatnonzero(new), [n]]).astype(np.int64)
        item = (np.cumsum(new) - 1).astype(np.int32)
        order = np.random.default_rng(n).permutation(n).astype(np.int32)
        return cls(item, starts, sites.position, sites.length if n_shown is None else n_shown, order, halves.b)


def clip_sites(
    places: Places,
    view: View,
    concepts: Columns,
    tested: NDArray[np.int32],
    sign: NDArray[np.int8],
    usable: NDArray[np.bool_],
    clipping: Clipping,
) -> Arrays:
    """Sites of clips and the keys around them, for the units of a view over all sites of a frame.

    `tested` [U] is each unit's concept, an index into `concepts`, or -1, and `sign` [U] its direction. Units that were
    not tested have extremes only, those that are not `usable` [U] nothing. `clip.sites` [U, 46] has the kinds of
    `KINDS` side by side, -1 where there is none. `clip.keys` [n] is flat: for each site there, in order, the keys of
    all sites shown with it (see `window_of`), 0 where the model has no position.
    """
    keys, n_units = view.keys, view.n_units
    if not view.n_sites:
        return {"clip.sites": np.full((n_units, sum(SIZES)), -1, np.int32), "clip.keys": np.zeros(0, np.uint16)}
    flips = np.where(sign < 0, 0xFFFF, 0).astype(np.int32)
    falls = (sign < 0)[:, None]
    at = [int(share * (view.n_sites - 1)) for share in _EDGES]
    rising = view.sorted_at(at).astype(np.int32)
    falling = view.sorted_at([view.n_sites - 1 - index for index in at]).astype(np.int32) ^ 0xFFFF
    edges = np.where(falls, falling, rising)
    edges[:, -1] -= 1  # so that the least values, too, are above the lowest edge
    use = tested >= 0
    seeds = _seeds(clipping.seed, clipping.start, n_units)
    drawn = _draw(keys, places.item, places.order, seeds, flips, edges, use, N_IN_BAND, N_RANDOM)
    n_band = N_IN_BAND * len(BANDS)
    silent = edges[:, _EDGES.index(0.5)]
    missed = _miss(
        keys, places.item, places.half_b, seeds, flips, silent, tested, concepts.indptr, concepts.sites, N_MISSED
    )
    _sort(keys, drawn[:, :n_band], flips, N_IN_BAND, 1)
    _sort(keys, missed, flips, N_MISSED, 0)
    item = places.item if len(places.starts) > N_EXTREME else np.arange(view.n_sites, dtype=np.int32)
    extremes = [_extreme(keys, item, N_EXTREME, flip) for flip in (0, 0xFFFF)]
    # Fewer at the end at which the unit does not detect.
    n_other = N_OTHER_END if clipping.window > 0 else N_OTHER_END_OF_IMAGES
    extremes[0][:, n_other:][sign < 0] = -1
    extremes[1][:, n_other:][sign >= 0] = -1
    sites = np.concatenate([*extremes, drawn, missed], axis=1)
    sites[~usable] = -1
    if clipping.window <= 0:
        sites[:, ~_OF_IMAGES] = -1
    return {
        "clip.sites": sites,
        "clip.keys": _around(keys, places.item, places.starts, places.position, places.length, sites, clipping.window),
    }


def window_on(grid: str) -> int:
    """Most sites of an item that are shown on a grid, 0 for all: a part of an image would not be seen as one."""
    return 0 if grid.startswith("image") else WINDOW


def window_of(position: NDArray[Any], length: NDArray[Any], window: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """First position shown and how many are, of items of `length` sites around `position`.

    >>> [part.tolist() for part in window_of(np.array([3, 50]), np.array([9, 100]), 60)]
    [[0, 20], [9, 60]]
    """
    if window <= 0:
        return np.zeros_like(position), length
    shown = np.minimum(length, window)
    return np.clip(position - window // 2, 0, length - shown), shown


def _seeds(seed: int, start: int, n: int) -> NDArray[np.int64]:
    """A 62-bit number for each unit, by two rounds of splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(start + 1, start + n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


@kernel
def _extreme(keys: Keys, item: NDArray[np.int32], n: int, flip: int) -> NDArray[np.int32]:
    """Sites of the n items with the greatest keys (least if `flip` is 0xFFFF), equal keys by site, [U, n]."""
    n_units, n_sites = keys.shape
    found = np.full((n_units, n), -1, np.int32)
    for u in range(n_units):
        size, least = 0, -1
        for s in range(n_sites):
            key = keys[u, s] ^ flip
            if key <= least:
                continue
            at = -1
            for k in range(size):
                if item[found[u, k]] == item[s]:
                    at = k
                    break
            if at < 0:
                size = min(size + 1, n)
                at = size - 1
            elif key <= keys[u, found[u, at]] ^ flip:
                continue
            while at > 0 and keys[u, found[u, at - 1]] ^ flip < key:
                found[u, at] = found[u, at - 1]
                at -= 1
            found[u, at] = s
            if size == n:
                least = keys[u, found[u, n - 1]] ^ flip
    return found


@kernel
def _draw(
    keys: Keys,
    item: NDArray[np.int32],
    order: NDArray[np.int32],
    seeds: NDArray[np.int64],
    flips: NDArray[np.int32],
    edges: NDArray[np.int32],
    use: NDArray[np.bool_],
    n_in_band: int,
    n_random: int,
) -> NDArray[np.int32]:
    """Sites drawn from each band, strongest band first, then from all, [U, bands * n + n]; each kind one an item.

    Where ties leave a band without a value of its own it stays empty.
    """
    n_units, n_sites = keys.shape
    n_bands = edges.shape[1] - 1
    found = np.full((n_units, n_bands * n_in_band + n_random), -1, np.int32)
    sizes = np.zeros(n_bands, np.int64)
    for u in range(n_units):
        if not use[u]:
            continue
        missing = 0
        sizes[:] = 0
        for b in range(n_bands):
            if edges[u, b] == edges[u, b + 1]:
                sizes[b] = n_in_band
            else:
                missing += n_in_band
        first = n_bands * n_in_band
        at, stop = (seeds[u] // n_sites) % n_sites, first
        for _ in range(n_sites):
            s = order[at]
            at = at + 1 if at + 1 < n_sites else 0
            if stop < first + n_random and _new(found[u], first, stop, item, s):
                found[u, stop] = s
                stop += 1
            if stop == first + n_random:
                break
        at = seeds[u] % n_sites
        for _ in range(n_sites):
            s = order[at]
            at = at + 1 if at + 1 < n_sites else 0
            key = keys[u, s] ^ flips[u]
            b = 0
            while b < n_bands - 1 and key <= edges[u, b + 1]:
                b += 1
            if sizes[b] < n_in_band and _new(found[u], 0, n_bands * n_in_band, item, s):
                found[u, b * n_in_band + sizes[b]] = s
                sizes[b] += 1
                missing -= 1
            if missing == 0:
                break
    return found


@kernel
def _new(found: NDArray[np.int32], start: int, stop: int, item: NDArray[np.int32], site: int) -> bool:
    """Whether no site of found[start:stop] is of the same item."""
    for k in range(start, stop):  # noqa: SIM110 - numba compiles no generator
        if found[k] >= 0 and item[found[k]] == item[site]:
            return False
    return True


@kernel
def _miss(
    keys: Keys,
    item: NDArray[np.int32],
    half_b: NDArray[np.bool_],
    seeds: NDArray[np.int64],
    flips: NDArray[np.int32],
    silent: NDArray[np.int32],
    tested: NDArray[np.int32],
    indptr: NDArray[np.int64],
    columns: NDArray[np.int32],
    n: int,
) -> NDArray[np.int32]:
    """Sites of half B with the concept and a key at most `silent`, [U, n]: a fair draw of items, their first sites."""
    n_units = keys.shape[0]
    found = np.full((n_units, n), -1, np.int32)
    for u in range(n_units):
        if tested[u] < 0:
            continue
        state, seen, last = seeds[u], 0, -1
        for i in range(indptr[tested[u]], indptr[tested[u] + 1]):
            s = columns[i]
            if not half_b[s] or item[s] == last or keys[u, s] ^ flips[u] > silent[u]:
                continue
            last = item[s]
            seen += 1
            if seen <= n:
                found[u, seen - 1] = s
                continue
            # Vitter's algorithm R, with a generator of Knuth's (MMIX) whose high bits are used.
            state = (state * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
            k = (state >> 24) % seen
            if k < n:
                found[u, k] = s
    return found


@kernel
def _sort(keys: Keys, sites: NDArray[np.int32], flips: NDArray[np.int32], size: int, falling: int) -> None:
    """Order each run of `size` sites by value in place, equal ones by site; -1 goes last."""
    for u in range(sites.shape[0]):
        for start in range(0, sites.shape[1], size):
            for i in range(start + 1, start + size):
                s = sites[u, i]
                if s < 0:
                    break
                key = keys[u, s] ^ flips[u]
                at = i
                while at > start:
                    t = sites[u, at - 1]
                    other = keys[u, t] ^ flips[u]
                    behind = other < key if falling else other > key
                    if not (behind or (other == key and t > s)):
                        break
                    sites[u, at] = t
                    at -= 1
                sites[u, at] = s


@kernel
def _around(
    keys: Keys,
    item: NDArray[np.int32],
    starts: NDArray[np.int64],
    position: NDArray[np.int32],
    length: NDArray[np.int32],
    sites: NDArray[np.int32],
    window: int,
) -> Keys:
    """Keys of all sites shown with each of `sites` [U, K], flat."""
    n_units, n_clips = sites.shape
    total = 0
    for u in range(n_units):
        for k in range(n_clips):
            s = sites[u, k]
            if s >= 0:
                total += length[s] if window <= 0 else min(length[s], window)
    found = np.zeros(total, np.uint16)
    at = 0
    for u in range(n_units):
        for k in range(n_clips):
            s = sites[u, k]
            if s < 0:
                continue
            shown, first = length[s], 0
            if 0 < window < shown:
                first = max(0, min(position[s] - window // 2, length[s] - window))
                shown = window
            for t in range(starts[item[s]], starts[item[s] + 1]):
                place = position[t] - first
                if 0 <= place < shown:
                    found[at + place] = keys[u, t]
            at += shown
    return found
