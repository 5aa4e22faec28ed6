"""Blocks and halves: which sites stand or fall together, and which are kept back for testing.

A block is a group (document, video). Where there are fewer than 40 groups, or one group holds over 5 % of the sites,
blocks are runs of whole items inside groups instead, and the result says so. Blocks are hashed into halves A and B,
balanced by sites: concepts and signs are chosen on A, everything reported is measured on B.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import PlanError

MIN_GROUPS, MAX_SHARE, RUNS = 40, 0.05, 100


@dataclass(frozen=True)
class Halves:
    """Block [S] and half [S] (0 is A, 1 is B) of every site; whether blocks are runs inside groups."""

    block: NDArray[np.int32]
    half: NDArray[np.uint8]
    n_blocks: int
    n_groups: int
    runs: bool

    @property
    def a(self) -> NDArray[np.bool_]:
        """Sites of half A."""
        return np.equal(self.half, 0)

    @property
    def b(self) -> NDArray[np.bool_]:
        """Sites of half B."""
        return np.equal(self.half, 1)


def split(item_of_site: NDArray[np.int32], group_of_item: Sequence[str], seed: int) -> Halves:
    """Blocks and halves of sites; depends on group names, item order and seed only.

    `item_of_site` [S] rises. Raises PlanError when there are fewer than two blocks with sites.

    >>> halves = split(np.repeat(np.arange(100, dtype=np.int32), 5), [f"d{i}" for i in range(100)], 0)
    >>> halves.runs, halves.n_blocks, int(halves.a.sum())
    (False, 100, 250)
    """
    sites_of_item = np.bincount(item_of_site, minlength=len(group_of_item))
    names = sorted({group for group, n in zip(group_of_item, sites_of_item.tolist()) if n})
    index = {name: i for i, name in enumerate(names)}
    group_sites = np.zeros(len(names), np.int64)
    for group, n in zip(group_of_item, sites_of_item.tolist()):
        if n:
            group_sites[index[group]] += n
    total = int(group_sites.sum())
    runs = len(names) < MIN_GROUPS or bool((group_sites > MAX_SHARE * total).any())
    labels, block_of_item = _blocks(group_of_item, sites_of_item, total, runs)
    if len(labels) < 2:
        raise PlanError(
            f"Got {len(labels)} block(s) of sites.",
            expected="at least two items with sites, so that halves can be made",
            fix="Give a larger corpus.",
        )
    sites_of_block = np.bincount(block_of_item, weights=sites_of_item, minlength=len(labels)).astype(np.float64)
    half_of_block = _balance(labels, sites_of_block, seed)
    block = block_of_item[item_of_site]
    return Halves(block, half_of_block[block], len(labels), len(names), runs)


def _blocks(
    group_of_item: Sequence[str], sites_of_item: NDArray[np.intp], total: int, runs: bool
) -> tuple[list[str], NDArray[np.int32]]:
    labels: dict[str, int] = {}
    block_of_item = np.zeros(len(group_of_item), np.int32)
    filled: dict[str, tuple[int, int]] = {}
    for item, (group, n) in enumerate(zip(group_of_item, sites_of_item.tolist())):
        if not n:
            continue
        run, size = filled.get(group, (0, 0))
        if runs and size >= total / RUNS:
            run, size = run + 1, 0
        filled[group] = (run, size + n)
        block_of_item[item] = labels.setdefault(f"{group}\n{run}", len(labels))
    return list(labels), block_of_item


def _balance(labels: Sequence[str], sites: NDArray[np.float64], seed: int) -> NDArray[np.uint8]:
    def shuffled(block: int) -> bytes:
        return hashlib.blake2b(f"{seed}\n{labels[block]}".encode(), digest_size=16).digest()

    half = np.zeros(len(labels), np.uint8)
    size = [0.0, 0.0]
    for block in sorted(range(len(labels)), key=shuffled):
        side = int(size[1] < size[0])
        half[block] = side
        size[side] += sites[block]
    return half


def effective_groups(counts: NDArray[np.int64]) -> float:
    """(sum n)^2 / sum n^2 over blocks: how many equal blocks the concept's sites amount to; 0 without sites.

    >>> effective_groups(np.array([5, 5, 5, 5]))
    4.0
    """
    square = float((counts.astype(np.float64) ** 2).sum())
    return float(counts.sum()) ** 2 / square if square else 0.0
