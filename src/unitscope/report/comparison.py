"""A comparison of two atlases on the terminal, and what it comes to in sentences. The site says the same sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unitscope.report.plain import NOTHING, clean, count, counted, effect, interval, share

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unitscope.comparison import Comparison

Row = dict[str, Any]
N_CONCEPTS = 20


def side_name(side: Mapping[str, Any]) -> str:
    """A side in words: its atlas, baseline and layer.

    >>> side_name({"atlas": "base", "variant": "untrained", "layers": ["a", "b"]})
    'base (untrained)'
    """
    baseline = "" if side["variant"] == "trained" else f" ({clean(side['variant'])})"
    layer = f":{clean(side['layers'][0])}" if len(side["layers"]) == 1 else ""
    return f"{clean(side['atlas'])}{baseline}{layer}"


def sentences(about: Mapping[str, Any]) -> list[str]:
    """What a comparison comes to, then what a reader must know of it."""
    counts, chance = about["counts"], about["chance"]
    n = counts["units"]
    paired = (
        "Each unit of A beside the unit of B at the same address."
        if about["match"] == "address"
        else "Each unit of A beside the unit of B whose profile over the shared concepts is most like its own."
    )
    said = [
        paired,
        f"Of {counted(n, 'unit')}, {count(counts['kept'])} ({share(counts['kept'], n)}) have the same first concept on "
        f"both sides; of units paired at random {share(chance['random'])} "
        f"({share(chance['low'])} to {share(chance['high'])}) have.",
        f"{count(counts.get('turned', 0))} tell the same concept by the other end of their scale; "
        f"{count(counts['moved'])} moved to another concept beyond the errors of both sides; of "
        f"{count(counts['undecided'])} another concept comes first, but which one is within the errors.",
        f"{count(counts['lost'])} lost their concept, {count(counts['gained'])} gained one; "
        f"{count(counts['none'])} have none on either side.",
        f"On the same concept {counted(counts['stronger'], 'unit is', 'units are')} stronger in B and "
        f"{count(counts['weaker'])} weaker (held-out AUROC, q < .05 over all that were tested on both sides).",
    ]
    if counts["unshared"]:
        said.append(f"Of {count(counts['unshared'])} the concept is not among those that can be tested on both sides.")
    return [*said, *map(clean, about["notes"])]


def movers(rows: Sequence[Row], statuses: Sequence[str] = ("moved", "lost", "gained")) -> list[Row]:
    """Units whose concept changed: by status in this order, in it those with the widest gap first."""
    order = {status: at for at, status in enumerate(statuses)}
    found = [row for row in rows if row["status"] in order]
    return sorted(found, key=lambda row: (order[row["status"]], -gap(row), row["layer"], row["unit"]))


def gap(row: Row) -> float:
    """How much weaker the concept that A's unit had is in B, or the one that B's has in A, whichever is more."""
    gaps = [
        row[f"effect_{side}"] - row[other]
        for side, other in (("a", "b_on_concept_a"), ("b", "a_on_concept_b"))
        if row[f"effect_{side}"] is not None and row[other] is not None
    ]
    return max(gaps, default=0.0)


def shifts(rows: Sequence[Row]) -> list[Row]:
    """Units that are stronger or weaker on the same concept, greatest difference first."""
    found = [row for row in rows if row["change"] in ("stronger", "weaker")]
    return sorted(found, key=lambda row: (-abs(row["difference"]), row["layer"], row["unit"]))


def change(row: Row) -> str:
    """A difference with its interval, signed.

    >>> change({"difference": -0.2, "difference_low": -0.31, "difference_high": -0.1})
    '-.20 [-.31, -.10]'
    """
    if row["difference"] is None:
        return NOTHING
    sign = "+" if row["difference"] > 0 else ""
    return f"{sign}{effect(row['difference'])} {interval(row['difference_low'], row['difference_high'])}"


def concept(row: Row, side: str) -> str:
    """A side's first concept with its end of the scale, effect and interval, and the other side's effect on it."""
    if row[f"concept_{side}"] is None:
        return "none"
    end = "↑" if row[f"sign_{side}"] > 0 else "↓"
    known = interval(row[f"low_{side}"], row[f"high_{side}"])
    told = f"{end} {clean(row[f'concept_{side}'])} {effect(row[f'effect_{side}'])}"
    told = told if known == NOTHING else f"{told} {known}"
    other, value = ("B", row["b_on_concept_a"]) if side == "a" else ("A", row["a_on_concept_b"])
    return told if value is None or row["status"] == "kept" else f"{told}, in {other} {effect(value)}"


def alike(value: float | None) -> str:
    """A cosine.

    >>> alike(-0.001), alike(None)
    ('.00', '–')
    """
    return effect(None if value is None else round(value, 2) + 0.0)


def comparison(found: Comparison, top: int = 10) -> RenderableType:
    """Sides, sentences, counts by layer, movers and concepts."""
    from rich.console import Group
    from rich.text import Text

    about, units = found.about, found.rows("units")
    parts: list[RenderableType] = [Text(f"{name.upper()}  {_side(about[name])}") for name in ("a", "b")]
    parts += [Text(""), *(Text(each) for each in sentences(about)), Text("")]
    parts.append(_layers(found.rows("layers"), about["match"]))
    for title, rows in (("Units whose concept changed", movers(units)), ("Units that changed on it", shifts(units))):
        if rows:
            parts += [Text(""), Text(f"{title} ({min(top, len(rows))} of {count(len(rows))})", style="bold")]
            parts.append(_units(rows[:top], about["match"]))
    concepts = found.rows("concepts")
    parts += [Text(""), Text(f"Concepts ({min(N_CONCEPTS, len(concepts))} of {count(len(concepts))})", style="bold")]
    parts.append(_concepts(concepts))
    return Group(*parts)


def _side(side: Mapping[str, Any]) -> str:
    layers = counted(len(side["layers"]), "layer")
    return f"{side_name(side)}: {clean(side['model'])} over {clean(side['corpus'])}, {layers}"


_FATES = ("turned", "undecided", "moved", "lost", "gained", "stronger", "weaker")


def _layers(rows: Sequence[Row], match: str) -> RenderableType:
    from unitscope.report.listing import Counts

    heads = [
        "layer", "units", "kept", "at random", *_FATES, "alike", "at random (alike)",
    ]  # fmt: skip
    cells = [
        [
            " → ".join(map(clean, dict.fromkeys(each for each in (row["layer"], row["layer_b"]) if each is not None))),
            count(row["units"]),
            f"{count(row['kept'])} ({share(row['kept'], row['units'])})",
            f"{row['random_kept']:.1f} [{row['random_low']:.0f}, {row['random_high']:.0f}]",
            *(count(row.get(name, 0)) for name in _FATES),
            alike(row["likeness"]),
            alike(row["random_likeness"]),
        ]
        for row in rows
    ]  # fmt: skip
    if match == "profile":
        heads += ["unseen", "at random (unseen)"]
        for line, row in zip(cells, rows, strict=True):
            line += [alike(row["unseen"]), alike(row["random_unseen"])]
    return Counts(heads, cells)


def _units(rows: Sequence[Row], match: str) -> RenderableType:
    from unitscope.report.listing import Column, Listing

    cells = []
    for row in rows:
        address = f"{clean(row['layer'])}:{row['unit']}"
        if match == "profile" or row["layer"] != row["layer_b"]:
            address += f" → {clean(row['layer_b'])}:{row['unit_b']}"
        on = f" on {clean(row['compared'])}" if row["compared"] not in (None, row["concept_b"]) else ""
        cells.append([address, row["status"], concept(row, "a"), concept(row, "b"), f"{change(row)}{on}"])
    columns = [
        Column("unit", text=True, lead=True),
        Column("", text=True, lead=True),
        Column("in A", "A", text=True, free=True),
        Column("in B", "B", text=True, free=True),
        Column("difference", "difference", text=True, free=True),
    ]
    return Listing(columns, cells)


def _concepts(rows: Sequence[Row]) -> RenderableType:
    from unitscope.report.listing import Counts

    names = ("units_a", "units_b", "kept", "turned", "left", "joined", "lost", "gained", "undecided")
    heads = ["concept", "in A", "in B", *names[2:]]
    return Counts(
        heads, [[clean(row["concept"]), *(count(row.get(name, 0)) for name in names)] for row in rows[:N_CONCEPTS]]
    )
