"""Ablations that are kept beside an atlas, read once and found by unit.

Tables that an ablation need not have are empty where they are absent; numbers that are not there are None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unitscope.annex import Annex
from unitscope.report.site.beside import Beside
from unitscope.report.site.effect_words import at_concept, contradicts, known, overall, verdict
from unitscope.stats.discoveries import adjust

UnitKey = tuple[str, int]
Row = dict[str, Any]
OF_UNITS = ("units", "matches", "classes", "doses", "causes")
"""Tables with rows of single units."""


@dataclass(frozen=True)
class Ablation:
    """A task measured whole and without units. `about` is what its maker wrote."""

    annex: Annex
    tables: Mapping[str, Sequence[Row]]

    @property
    def about(self) -> Mapping[str, Any]:
        """What was asked, and figures."""
        return self.annex.about

    @property
    def name(self) -> str:
        """Under which it is kept."""
        return self.annex.name

    @property
    def task(self) -> str:
        """What was judged, as it was asked for."""
        return str(self.about.get("task") or "task")

    @property
    def metric(self) -> str:
        """The task's value in a word."""
        return str(self.about.get("metric") or "value")

    @property
    def rising(self) -> bool:
        """Whether more is better."""
        return bool(self.about.get("rising"))

    @property
    def unedited(self) -> float | None:
        """The task's value on the network as it is."""
        found = self.about.get("unedited")
        return float(found) if known(found) else None  # type: ignore[arg-type]

    @property
    def edit(self) -> str:
        """What units become."""
        return str(self.about.get("edit") or "zero")

    @cached_property
    def of_unit(self) -> Mapping[UnitKey, Mapping[str, list[Row]]]:
        """Rows of each unit by table."""
        found: dict[UnitKey, dict[str, list[Row]]] = {}
        for table in OF_UNITS:
            for row in self.tables[table]:
                found.setdefault((row["layer"], int(row["unit"])), {}).setdefault(table, []).append(row)
        return found


TABLES = ("curve", *OF_UNITS, "trends", "pairs", "greedy")


def ablations(beside: Beside) -> list[Ablation]:
    """All that are kept, by name."""
    return [_read(beside, annex) for annex in beside.of("effects")]


def _read(beside: Beside, annex: Annex) -> Ablation:
    tables = {name: [plain(row) for row in beside.rows(annex, name)] for name in TABLES}
    matches = tables["matches"]
    if matches and "q" not in matches[0]:
        rates = adjust(np.array([each.get("difference_p") for each in matches], np.float64))
        tables["matches"] = [plain(row, q=rate) for row, rate in zip(matches, rates.tolist(), strict=True)]
    rising = bool(annex.about.get("rising"))
    for row in tables["causes"]:
        row["verdict"] = verdict(row, rising)
    tables["matches"] = [
        plain(row, verdict=verdict(row, rising), contradicts=contradicts(row, rising)) for row in tables["matches"]
    ]
    return Ablation(annex, tables)


class Cells(dict[str, Any]):
    """A row; columns that a result need not have are None.

    >>> Cells(effect=0.5)["low"] is None
    True
    """

    def __missing__(self, name: str) -> None:
        return None


def plain(row: Mapping[str, Any], **further: Any) -> Row:
    """A row with None for what is no number or not there, and further columns."""
    return Cells({name: None if value != value else value for name, value in row.items()} | further)


def sentences(found: Sequence[Ablation], key: UnitKey) -> list[str]:
    """Whether a unit matters, in two sentences at most: where its concept is, then over everything."""
    there, everything = [], []
    for each in found:
        rows = each.of_unit.get(key, {})
        there += [at_concept(row, each.metric, each.rising) for row in rows.get("matches", ())]
        there += [f"It {_inside(row['contradiction'])}." for row in rows.get("causes", ()) if row.get("contradiction")]
        everything += [overall(row, each.metric, each.rising) for row in rows.get("units", ())]
    return [*there[:1], *everything[:1]]


def _inside(text: object) -> str:
    """A sentence that goes on after its subject."""
    return str(text).strip().rstrip(".")
