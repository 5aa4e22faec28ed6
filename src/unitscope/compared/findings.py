"""What was found of one side's units on held-out sites, as arrays over units and their two tested concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.compared.sides import Shared, Side
from unitscope.stats.differences import Estimate

N_SLOTS = 2
_TESTED = (
    "layer", "unit", "slot", "concept", "sign", "auroc", "low", "high", "within_form_position",
)  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """Address of each unit [U], and its up to two tested concepts, first one first, arrays [U, 2].

    `concept` is a number among the shared names, -1 where there is none; `reported` says where it passed. `sites` is
    the number of each unit's kind of sites, `unshared` the units whose reported concepts are all unknown to the other
    side, [U].
    """

    layer: NDArray[Any]
    unit: NDArray[np.int64]
    concept: NDArray[np.int64]
    sign: NDArray[np.int64]
    reported: NDArray[np.bool_]
    kind: NDArray[Any]
    effect: Estimate
    place: NDArray[np.float64]
    unshared: NDArray[np.bool_]

    @classmethod
    def of(cls, side: Side, shared: Shared) -> Findings:
        """Read a side. A unit's second concept takes the first place where its first is not shared."""
        widths = {layer: int(side.described[layer]["width"]) for layer in side.layers}
        start = dict(zip(widths, np.concatenate([[0], np.cumsum(list(widths.values()))]).tolist(), strict=False))
        found = cls._blank(widths)
        names = {sites: set(each) for sites, each in shared.of_sites.items()}
        known = {layer: names.get(side.sites_of(layer), set()) for layer in widths}
        number = {name: at for at, name in enumerate(shared.names)}
        kinds = {
            (row["layer"], row["unit"], row["slot"]): row["kind"]
            for row in side.table("matches").select(["layer", "unit", "slot", "measure", "kind"]).to_pylist()
            if row["measure"] == "auroc" and row["layer"] in widths
        }
        rows = side.table("tests").select(list(_TESTED)).to_pylist()
        for row in sorted(rows, key=lambda row: int(row["slot"])):
            if row["layer"] in widths and row["slot"] <= N_SLOTS:
                concept = number[row["concept"]] if row["concept"] in known[row["layer"]] else -1
                kind = kinds.get((row["layer"], row["unit"], row["slot"]))
                found._put(start[row["layer"]] + row["unit"], row, concept, kind)
        found.unshared[found.reported.any(axis=1)] = False
        return found

    @classmethod
    def _blank(cls, widths: dict[str, int]) -> Findings:
        layer = np.repeat(np.array(list(widths), object), list(widths.values()))
        unit = np.concatenate([np.arange(width) for width in widths.values()])
        shape = (len(unit), N_SLOTS)
        value, low, high, place = (np.full(shape, np.nan) for _ in range(4))
        return cls(
            layer=layer,
            unit=unit,
            concept=np.full(shape, -1, np.int64),
            sign=np.zeros(shape, np.int64),
            reported=np.zeros(shape, np.bool_),
            kind=np.full(shape, None, object),
            effect=Estimate(value, low, high),
            place=place,
            unshared=np.zeros(len(unit), np.bool_),
        )

    def _put(self, at: int, row: dict[str, Any], concept: int, kind: str | None) -> None:
        if concept < 0:
            self.unshared[at] |= kind is not None
            return
        slot = 0 if self.concept[at, 0] < 0 else 1
        self.concept[at, slot], self.sign[at, slot] = concept, row["sign"]
        self.reported[at, slot], self.kind[at, slot] = kind is not None, kind
        values = (row["auroc"], row["low"], row["high"], row["within_form_position"])
        into = (self.effect.value, self.effect.low, self.effect.high, self.place)
        for array, value in zip(into, values, strict=True):
            array[at, slot] = np.nan if value is None else value

    @property
    def n_units(self) -> int:
        """Units of the side."""
        return len(self.unit)

    @property
    def code(self) -> NDArray[np.int64]:
        """First reported concept and its direction as one number, -1 where there is none, [U]."""
        there = self.reported[:, 0]
        return np.where(there, 2 * self.concept[:, 0] + (self.sign[:, 0] > 0), -1)

    def first(self, values: NDArray[Any]) -> NDArray[Any]:
        """A column of the first concept, [U]."""
        return values[:, 0]

    def effect_on(self, concept: NDArray[np.int64]) -> Estimate:
        """Held-out effect of each unit on a concept [U], seen as high values; NaN where it was not tested."""
        both = [self._effect_in(slot, concept) for slot in range(N_SLOTS)]
        parts = zip(*((each.value, each.low, each.high) for each in both), strict=True)
        return Estimate(*(np.where(np.isnan(first), second, first) for first, second in parts))

    def _effect_in(self, slot: int, concept: NDArray[np.int64]) -> Estimate:
        effect = Estimate(self.effect.value[:, slot], self.effect.low[:, slot], self.effect.high[:, slot])
        here = (concept >= 0) & (self.concept[:, slot] == concept)
        return effect.mirrored(self.sign[:, slot] < 0).at(here)

    def take(self, at: NDArray[np.int64]) -> Findings:
        """Some units, in this order."""
        effect = Estimate(self.effect.value[at], self.effect.low[at], self.effect.high[at])
        return Findings(
            self.layer[at],
            self.unit[at],
            self.concept[at],
            self.sign[at],
            self.reported[at],
            self.kind[at],
            effect,
            self.place[at],
            self.unshared[at],
        )
