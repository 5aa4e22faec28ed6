"""What units read, write and do, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from unitscope.report.effects import between, signed
from unitscope.report.listing import Column, Listing
from unitscope.report.plain import chance, clean, counted, effect
from unitscope.report.writes import token

if TYPE_CHECKING:
    from unitscope.causal.ablating import Ablated

N_TOKENS = 3


def shown(found: Ablated) -> list[RenderableType]:
    """A row a match, then what contradicts itself."""
    rows = []
    lens = any(each.reading.tokens for each in found.causes)
    for each in found.causes:
        reading = each.reading
        written = [
            ", ".join(token(word) for word in reading.tokens[:N_TOKENS]) or "–",
            f"{signed(each.written.effect)} {between(each.written)}" if reading.tokens else "–",
        ]
        rows.append(
            [
                clean(reading.unit),
                clean(reading.concept),
                f"{effect(reading.reads)}, {effect(reading.within)}",
                *(written if lens else []),
                signed(each.inside.effect),
                between(each.inside),
                signed(each.outside.effect),
                chance(each.q),
                each.verdict,
            ]
        )
    columns = [
        Column("unit", text=True, lead=True),
        Column("reads", text=True, lead=True),
        Column("AUROC, in form", "AUROC, within form"),
        *([Column("writes", "writes", text=True), Column("their change", "their log-probability")] if lens else []),
        Column("with it", f"{found.metric} at the concept"),
        Column("95 %", ""),
        Column("without", "elsewhere"),
        Column("q", "q"),
        Column("", text=True),
    ]
    told: list[RenderableType] = [Text("Read, write, cause", style="bold"), Listing(columns, rows)]
    silent = sorted({clean(each.reading.concept) for each in found.causes if not each.n_inside})
    if silent:
        told.append(
            Text(f"No number of the task belongs to sites with {', '.join(silent)}: no cost can be told there.")
        )
    against = [each for each in found.causes if each.contradiction]
    n = counted(len(found.causes), "match", "matches")
    if not against:
        return [*told, Text(f"Nothing contradicts the labels of {n}.")]
    told.append(Text(f"Contradictions in {len(against)} of {n}:"))
    told += [Text(f"  {clean(each.reading.unit)}: {clean(each.contradiction)}") for each in against]
    return told
