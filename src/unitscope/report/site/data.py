"""An atlas' tables, read once and looked up by unit or concept, for pages that show all of it.

Tables that an atlas need not have (`density`, `writes`, `ladder`, `formulas`, `items`) are empty where they are absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope.atlas import Atlas, Row
from unitscope.report import findings
from unitscope.report.site.ablations import Ablation, ablations
from unitscope.report.site.beside import Beside
from unitscope.report.site.wording import Words, words_of

if TYPE_CHECKING:
    import pyarrow

UnitKey = tuple[str, int]


class ByUnit:
    """Rows of a table by layer and unit, in the table's order; only the rows asked for become Python objects."""

    def __init__(self, table: pyarrow.Table | None, layers: list[str]) -> None:
        self._layers = {layer: i for i, layer in enumerate(layers)}
        if table is None or not table.num_rows:
            self._table = None
            return
        number = np.array(
            [self._layers.get(layer, len(layers)) for layer in table.column("layer").to_pylist()], np.int64
        )
        unit = table.column("unit").to_numpy().astype(np.int64)
        self._span = int(unit.max()) + 1
        code = number * self._span + unit
        if (np.diff(code) < 0).any():
            order = np.argsort(code, kind="stable")
            table, code = table.take(order), code[order]
        self._table, self._code = table.combine_chunks(), code

    def of(self, layer: str, unit: int) -> list[Row]:
        """Rows of one unit; none where the table is absent."""
        if self._table is None or unit >= self._span:
            return []
        code = self._layers[layer] * self._span + unit
        start, stop = np.searchsorted(self._code, [code, code + 1]).tolist()
        rows: list[Row] = self._table.slice(start, stop - start).to_pylist()
        return rows


@dataclass(frozen=True)
class LayerInfo:
    """A layer's address, role and grid, and the counts of its units in every variant."""

    address: str
    role: str
    grid: str
    width: int
    counts: Mapping[str, Row]


class SiteData:
    """What pages are made of. Reads an atlas lazily, keeps what it has read, never changes anything."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas

    def optional(self, name: str) -> pyarrow.Table | None:
        """A table, or None where the atlas has none of that name."""
        return self.atlas.table(name) if self.atlas.has(name) else None

    def rows(self, name: str) -> list[Row]:
        """Rows of a table; none where it is absent."""
        table = self.optional(name)
        found: list[Row] = [] if table is None else table.to_pylist()
        return found

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The atlas' manifest."""
        return self.atlas.manifest

    @cached_property
    def variants(self) -> list[str]:
        """The model as it is, then the baselines that were run."""
        return findings.variants(self.atlas)

    @cached_property
    def parts(self) -> list[str]:
        """Names of the parts of a unit's variance, in order."""
        return findings.parts(self.atlas)

    @cached_property
    def layers(self) -> list[LayerInfo]:
        """Layers in order of execution."""
        summary = self.atlas.summary
        return [
            LayerInfo(
                layer["address"],
                layer["role"],
                layer["grid"],
                layer["width"],
                {variant: summary[variant][layer["address"]] for variant in self.variants},
            )
            for layer in self.manifest["study"]["layers"]
        ]

    @cached_property
    def layer(self) -> dict[str, LayerInfo]:
        """Layers by address."""
        return {each.address: each for each in self.layers}

    @cached_property
    def units(self) -> dict[UnitKey, Row]:
        """Rows of the units table, by layer in order of execution, then unit."""
        number = {layer: i for i, layer in enumerate(self.atlas.layers)}
        rows = self.rows("units")
        rows.sort(key=lambda row: (number[row["layer"]], row["unit"]))
        return {(row["layer"], row["unit"]): row for row in rows}

    @cached_property
    def reported(self) -> list[UnitKey]:
        """Units with at least one reported match: those that have a page."""
        return [key for key, row in self.units.items() if row["n_matches"]]

    @cached_property
    def reported_place(self) -> dict[UnitKey, int]:
        """Where each reported unit stands among them."""
        return {key: place for place, key in enumerate(self.reported)}

    @cached_property
    def matches(self) -> dict[UnitKey, list[Row]]:
        """Reported matches of each unit, a row a measure, first concepts first and AUROC before other measures."""
        found: dict[UnitKey, list[Row]] = {}
        for row in self.rows("matches"):
            found.setdefault((row["layer"], row["unit"]), []).append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (row["slot"], row["measure"] != "auroc", row["measure"]))
        return found

    def words(self, layer: str) -> Words:
        """How pages of a layer speak of what is held fixed."""
        return words_of(self.layer[layer].grid)

    def auroc(self, key: UnitKey) -> list[Row]:
        """A unit's reported concepts, first concept first."""
        return [row for row in self.matches.get(key, ()) if row["measure"] == "auroc"]

    @cached_property
    def by_concept(self) -> dict[str, list[Row]]:
        """Reported matches (AUROC) of each concept, best supported first."""
        found: dict[str, list[Row]] = {}
        for rows in self.matches.values():
            for row in rows:
                if row["measure"] == "auroc":
                    found.setdefault(row["concept"], []).append(row)
        for rows in found.values():
            rows.sort(key=_worth)
        return found

    @cached_property
    def concepts(self) -> list[Row]:
        """Concepts as the table has them; one that is known on two grids comes twice."""
        return self.rows("concepts")

    @cached_property
    def concept_rows(self) -> dict[str, list[Row]]:
        """Rows of each concept, one a grid."""
        found: dict[str, list[Row]] = {}
        for row in self.concepts:
            found.setdefault(row["concept"], []).append(row)
        return found

    @cached_property
    def clips(self) -> ByUnit:
        """Sites that are shown, by unit."""
        return self._by_unit("clips")

    @cached_property
    def density(self) -> ByUnit:
        """Histograms, by unit."""
        return self._by_unit("density")

    @cached_property
    def writes(self) -> ByUnit:
        """Tokens that units promote and suppress, by unit."""
        return self._by_unit("writes")

    @cached_property
    def attributions(self) -> ByUnit:
        """What units add to the next token's logit, by unit."""
        return self._by_unit("attributions")

    @cached_property
    def ladder(self) -> ByUnit:
        """Rungs of generalisation, by unit."""
        return self._by_unit("ladder")

    @cached_property
    def formulas(self) -> ByUnit:
        """Formulas over concepts, by unit."""
        return self._by_unit("formulas")

    @cached_property
    def beside(self) -> Beside:
        """Results that stand beside the atlas: rankings, probes, effects and so on."""
        return Beside(self.atlas)

    @cached_property
    def ablations(self) -> list[Ablation]:
        """Ablations that stand beside the atlas."""
        return ablations(self.beside)

    @cached_property
    def flows(self) -> list[dict[str, Any]]:
        """Attributions that stand beside the atlas, with their rows by unit."""
        from unitscope.report.site.attribution_view import flows

        return flows(self)

    def _by_unit(self, name: str) -> ByUnit:
        return ByUnit(self.optional(name), self.atlas.layers)

    @cached_property
    def items(self) -> dict[tuple[str, int], Row]:
        """Items that clips show, by grid and number."""
        return {(row["grid"], row["item"]): row for row in self.rows("items")}

    def neighbours(self, key: UnitKey) -> tuple[UnitKey | None, UnitKey | None]:
        """The reported units before and after one; None at the ends."""
        place = self.reported_place.get(key)
        if place is None:
            return None, None
        before = self.reported[place - 1] if place else None
        after = self.reported[place + 1] if place + 1 < len(self.reported) else None
        return before, after

    def each_reported(self) -> Iterator[UnitKey]:
        """Units that have a page, in order."""
        return iter(self.reported)


def _worth(row: Row) -> tuple[bool, float, float, str, int]:
    """Order of support: what is left of a match at worst, matches without an interval last."""
    low = row["score"] if row["low"] is None else row["low"]
    if row["kind"] == "contextual":
        low = min(low, row["within_form_position"])
    return (row["low"] is None, -low, -row["score"], row["layer"], row["unit"])
