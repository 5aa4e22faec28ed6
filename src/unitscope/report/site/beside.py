"""Results that stand beside an atlas (rankings, probes, effects ...), read once for pages that show them.

Where an atlas has none of a kind there is neither a page nor a link. One that is damaged, or of another atlas, is left
out and told. Ranks are held as whole numbers over all units of the atlas, so that pages of units find them at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.annex import Annex, annexes, read_annex
from unitscope.atlas import Atlas, Row
from unitscope.errors import StoreError

PAGES = (
    ("rankings", "Rankings", "r"),
    ("probes", "Probes", "p"),
    ("effects", "Effects", "e"),
    ("attributions", "Attributions", "a"),
    ("steering", "Steering", "s"),
    ("comparisons", "Comparisons", "m"),
)
"""Kinds of results with pages: folder, title, and the key that goes there after `g`."""
NEAR_TOP, LEAST = 0.05, 10
"""Share of the ranked units that is called the top, and the least number of units in it."""
LEAST_COMMON = 20
"""Fewer units in common are not compared."""


def top_of(n_units: int) -> int:
    """How many of so many units are the top.

    >>> top_of(1000), top_of(30), top_of(4)
    (50, 10, 4)
    """
    return min(n_units, max(LEAST, math.ceil(NEAR_TOP * n_units)))


@dataclass(frozen=True)
class Ranked:
    """Rankings of one name: a rank from 1 (0: not ranked) and a score for each target and unit of the atlas, [T, U]."""

    annex: Annex
    targets: tuple[str, ...]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Under which it is kept."""
        return self.annex.name

    def n_units(self, target: int) -> int:
        """How many units are ranked for a target."""
        return int((self.ranks[target] > 0).sum())

    def top(self, target: int, n: int) -> list[int]:
        """Numbers of the best units for a target, best first."""
        there = np.flatnonzero((self.ranks[target] > 0) & (self.ranks[target] <= n))
        found: list[int] = there[np.argsort(self.ranks[target][there], kind="stable")].tolist()
        return found


@dataclass(frozen=True)
class Overlap:
    """Share of the top that two rankings have in common, its size, and what two random orders would share."""

    share: float
    top: int
    chance: float


def overlap(a: NDArray[np.int32], b: NDArray[np.int32]) -> Overlap | None:
    """Overlap of two rankings, each ranks [U], over the units that both rank; None where these are fewer than 20.

    >>> ranks = np.arange(1, 101, dtype=np.int32)
    >>> overlap(ranks, ranks), overlap(ranks, ranks[::-1]).share
    (Overlap(share=1.0, top=10, chance=0.1), 0.0)
    """
    both = np.flatnonzero((a > 0) & (b > 0))
    if len(both) < LEAST_COMMON:
        return None
    n = top_of(len(both))
    first, second = (set(both[np.argsort(each[both], kind="stable")[:n]].tolist()) for each in (a, b))
    return Overlap(len(first & second) / n, n, n / len(both))


@dataclass(frozen=True)
class LeftOut:
    """A result that pages cannot show, and why."""

    kind: str
    name: str
    why: str


class Beside:
    """Results beside an atlas by kind; `left_out` are those that cannot be read."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._found: dict[str, list[Annex]] = {}
        self._rows: dict[tuple[str, str, str], list[Row]] = {}
        self._left_out: list[LeftOut] = []

    def of(self, kind: str) -> list[Annex]:
        """All results of a kind that can be read, by name."""
        if kind not in self._found:
            self._found[kind] = []
            for name in annexes(self._atlas, kind):
                try:
                    annex = read_annex(self._atlas, kind, name)
                    annex.check()
                except StoreError as error:
                    self._left_out.append(LeftOut(kind, name, " ".join(str(error).split())))
                else:
                    self._found[kind].append(annex)
        return self._found[kind]

    @property
    def left_out(self) -> list[LeftOut]:
        """Results of kinds with pages that are damaged, of another version or of another atlas."""
        for kind, _, _ in PAGES:
            self.of(kind)
        order = {kind: at for at, (kind, _, _) in enumerate(PAGES)}
        return sorted(self._left_out, key=lambda each: (order.get(each.kind, len(order)), each.name))

    def get(self, kind: str, name: str) -> Annex:
        """One result. Raises StoreError where there is none of this name."""
        return next((each for each in self.of(kind) if each.name == name), None) or read_annex(self._atlas, kind, name)

    def rows(self, annex: Annex, table: str) -> list[Row]:
        """Rows of a table; none where the result has no such table."""
        key = (annex.kind, annex.name, table)
        if key not in self._rows:
            self._rows[key] = annex.rows(table) if table in annex.tables else []
        return self._rows[key]

    @cached_property
    def pages(self) -> list[tuple[str, str, str]]:
        """Kinds that have pages: folder, title, key."""
        return [page for page in PAGES if self.of(page[0])]

    @cached_property
    def starts(self) -> dict[str, int]:
        """Number of the first unit of each layer, counting units through all layers."""
        layers = self._atlas.manifest["study"]["layers"]
        ends = np.cumsum([0, *(each["width"] for each in layers)]).tolist()
        return {each["address"]: start for each, start in zip(layers, ends, strict=False)}

    @cached_property
    def units(self) -> list[tuple[str, int]]:
        """Layer and index of each unit by its number."""
        layers = self._atlas.manifest["study"]["layers"]
        return [(each["address"], unit) for each in layers for unit in range(each["width"])]

    @cached_property
    def ranked(self) -> list[Ranked]:
        """All rankings."""
        return [self._ranked(annex) for annex in self.of("rankings") if "units" in annex.tables]

    def _ranked(self, annex: Annex) -> Ranked:
        table = annex.table("units")
        column: dict[str, list[Any]] = {name: table.column(name).to_pylist() for name in ("target", "layer")}
        targets = tuple(dict.fromkeys(column["target"]))
        number = {target: at for at, target in enumerate(targets)}
        row = np.array([number[target] for target in column["target"]], np.int64)
        start = np.array([self.starts[layer] for layer in column["layer"]], np.int64)
        unit = start + table.column("unit").to_numpy()
        ranks = np.zeros((len(targets), len(self.units)), np.int32)
        scores = np.full(ranks.shape, np.nan)
        ranks[row, unit] = table.column("rank").to_numpy()
        scores[row, unit] = table.column("score").to_numpy()
        return Ranked(annex, targets, ranks, scores)

    def near_top(self, layer: str, unit: int) -> list[Row]:
        """Rankings that have a unit at the top: name, target, rank, number of ranked units; best share first."""
        at = self.starts[layer] + unit
        found = []
        for ranked in self.ranked:
            for number in np.flatnonzero(ranked.ranks[:, at]).tolist():
                n, rank = ranked.n_units(number), int(ranked.ranks[number, at])
                if rank <= top_of(n):
                    row = {"name": ranked.name, "target": ranked.targets[number], "rank": rank, "n": n}
                    found.append({**row, "number": number, "score": float(ranked.scores[number, at])})
        return sorted(found, key=lambda row: (row["rank"] / row["n"], row["name"], row["target"]))

    @cached_property
    def _compared(self) -> list[tuple[Annex, dict[tuple[str, int], Row]]]:
        found = []
        for annex in self.of("comparisons"):
            rows = self.rows(annex, "units")
            found.append((annex, {(row["layer"], row["unit"]): row for row in rows}))
        return found

    def compared(self, layer: str, unit: int) -> list[tuple[str, Row]]:
        """What comparisons say of a unit: name and row."""
        return [(annex.name, rows[layer, unit]) for annex, rows in self._compared if (layer, unit) in rows]
