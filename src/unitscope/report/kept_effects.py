"""Effects of one unit that are kept beside an atlas: a line each, to stand beside its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unitscope.annex import annexes, read_annex
from unitscope.atlas import Atlas
from unitscope.causal.verdicts import FALSE_DISCOVERIES
from unitscope.errors import StoreError
from unitscope.report.plain import chance, clean

KIND = "effects"
TABLES = ("units", "classes", "trends", "matches", "causes")
Row = dict[str, Any]


def effects_of(atlas: Atlas, layer: str, unit: int) -> list[Row]:
    """Rows about a unit in all effects beside an atlas, each with the `name` of its result and its `table`.

    `task`, `edit` and `metric` say what was measured. Of a result that cannot be read there is a row with `unreadable`.
    """
    found: list[Row] = []
    for name in annexes(atlas, KIND):
        try:
            found += _rows(atlas, name, layer, unit)
        except StoreError as error:
            found.append({"name": name, "table": "", "unreadable": str(error)})
    return found


def _rows(atlas: Atlas, name: str, layer: str, unit: int) -> list[Row]:
    import pyarrow.compute as pc

    annex = read_annex(atlas, KIND, name)
    said = {key: annex.about.get(key) for key in ("task", "edit", "metric")}
    found = []
    for table in (each for each in TABLES if each in annex.tables):
        mine = annex.table(table).filter((pc.field("layer") == layer) & (pc.field("unit") == unit))
        found += [{"name": name, "table": table, **said, **row} for row in mine.to_pylist()]
    return found


def lines(rows: Sequence[Row]) -> list[str]:
    """A sentence a row, where numbers that are none are None; of classes only those with an effect (q below 5 %)."""
    told = []
    for row in rows:
        if row["table"] == "classes" and (row["q"] is None or row["q"] > FALSE_DISCOVERIES):
            continue
        what = row["unreadable"] if "unreadable" in row else _SENTENCES[row["table"]](row)
        told.append(f"{clean(row['name'])}: {what}")
    return told


def _unit(row: Row) -> str:
    return f"without it ({row['edit']}) {clean(row['metric'])} {_effect(row, 'effect', '')}, q {chance(row['q'])}"


def _class(row: Row) -> str:
    return f"without it, on {clean(row['class'])}: {_effect(row, 'effect', '')}, q {chance(row['q'])}"


def _trend(row: Row) -> str:
    where = f" at {clean(row['concept'])}" if row["concept"] else ""
    if row["monotone"] is None:
        return f"set to values of its range{where}: nothing changes"
    return (
        f"set to values of its range{where}: rank correlation with {clean(row['metric'])} {row['monotone']:+.2f} "
        f"(p {chance(row['monotone_p'])}), slope {_effect(row, 'slope', 'slope_')}"
    )


def _match(row: Row) -> str:
    return (
        f"without it ({row['edit']}) {clean(row['metric'])} {_effect(row, 'inside', 'inside_')} at "
        f"{clean(row['concept'])}, {_signed(row['outside'])} elsewhere"
    )


def _cause(row: Row) -> str:
    told = f"{_match(row)} ({row['verdict']})"
    if row["writes"]:
        told += f"; log-probability of what it writes {_effect(row, 'written', 'written_')}"
    return f"{told}; {clean(row['contradiction'])}" if row["contradiction"] else told


def _effect(row: Mapping[str, Any], value: str, lead: str) -> str:
    low, high = row[f"{lead}low"], row[f"{lead}high"]
    ends = "" if low is None else f" [{_signed(low)}, {_signed(high)}]"
    return f"{_signed(row[value])}{ends}"


def _signed(value: float | None) -> str:
    return "–" if value is None else "0" if value == 0 else f"{value:+.3g}"


_SENTENCES = {"units": _unit, "classes": _class, "trends": _trend, "matches": _match, "causes": _cause}
