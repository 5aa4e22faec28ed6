"""Attribution in words and numbers: units that an output flows through, words that a unit's value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.report.listing import Column, Counts, Listing
from unitscope.report.plain import clean, count, counted, interval

if TYPE_CHECKING:
    from unitscope.causal.judge import Judgement
    from unitscope.causal.to_tokens import TokenMap
    from unitscope.causal.to_units import UnitAttribution

_FULL, _PARTS = 8, " ▏▎▍▌▋▊▉"


def signed(value: float) -> str:
    """Three digits and the sign; a dash where there is no number.

    >>> signed(0.01234), signed(-2.0), signed(float("nan"))
    ('+0.0123', '-2', '–')
    """
    return "–" if value != value else f"{value:+.3g}"


def bar(value: float, most: float) -> str:
    """A bar of up to 8 cells, `most` the longest; the sign stands before it.

    >>> bar(1.0, 1.0), bar(-0.5, 1.0)
    ('+ ████████', '- ████')
    """
    eighths = round(abs(value) / most * _FULL * 8) if most > 0 and value == value else 0
    drawn = "█" * (eighths // 8) + (_PARTS[eighths % 8] if eighths % 8 else "")
    return f"{'-' if value < 0 else '+'} {drawn}" if drawn else ""


def units_shown(
    model: str, found: UnitAttribution, judged: Sequence[Judgement], top: int, heat: RenderableType | None
) -> RenderableType:
    """The whole report on units."""
    parts: list[RenderableType] = [
        Text(f"{clean(model)}: {clean(found.target)} by {clean(found.method)}", style="bold"),
        Text(f"{counted(len(found.items), 'item')}; the target is {signed(float(found.output.mean()))} on average."),
        Text(f"{found.how[:1].upper()}{found.how[1:]}.\n"),
        Counts(["layer", "units", "sum", *["rest"] * bool(found.rest), "explains", "missing"], _layers(found)),
        Text(
            f"sum: of all units' means. {_REST * bool(found.rest)}explains: what it should be. missing: the "
            "difference's share; what flows past a layer is missing too, and a residual stream flows past most.\n"
        ),
        Listing(_COLUMNS, _units(found, top)),
        Text("mean: over items, 95 % interval over their groups. size: mean of the absolute value."),
    ]
    if judged:
        parts += [Text(""), Counts(list(_JUDGED), [_judged(each) for each in judged]), Text(_JUDGED_NOTE)]
    if heat is not None:
        parts += [Text(""), heat]
    return Group(*parts)


_REST = "rest: what belongs to none of a basis' units, its reconstruction error. "
_COLUMNS = (
    Column("unit", text=True, lead=True),
    Column("mean", "mean"),
    Column("interval", "interval"),
    Column("size"),
)


def _units(found: UnitAttribution, top: int) -> list[list[str]]:
    ends = {layer.address: found.interval(layer.address) for layer in found.layers}
    sizes = {layer.address: found.size(layer.address) for layer in found.layers}
    rows = []
    for address, unit, mean in [each for each in found.units() if each[2] == each[2]][:top]:
        low, high = (float(end[unit]) for end in ends[address])
        between = "–" if low != low else f"[{signed(low)}, {signed(high)}]"
        rows.append([clean(f"{address}:{unit}"), signed(mean), between, f"{sizes[address][unit]:.3g}"])
    return rows


def _layers(found: UnitAttribution) -> list[list[str]]:
    rows = []
    for layer in found.layers:
        address = layer.address
        whole = float(found.explained[address].mean()) if address in found.explained else float("nan")
        gap = found.relative_gap(address)
        total = float(np.nansum(found.mean(address)))
        missing = "–" if gap != gap else f"{gap:.1%}"
        rest = [signed(float(found.rest[address].mean()) if address in found.rest else float("nan"))]
        more = rest * bool(found.rest)
        rows.append([clean(address), count(layer.width), signed(total), *more, signed(whole), missing])
    return rows


_JUDGED = ("layer", "units tested", "rank correlation", "95 %", "removed", "random", "left alone", "random ")
_JUDGED_NOTE = (
    "rank correlation: of attribution and of what taking out single units does. removed: loss of the target without "
    "the 1 to 50 % of units with the highest attributions; left alone: loss when only these are left."
)


def _judged(each: Judgement) -> list[str]:
    removed, left = each.comprehensiveness, each.sufficiency
    return [
        clean(each.layer),
        count(len(each.units)),
        f"{each.correlation:.2f}",
        interval(each.low, each.high),
        signed(removed.attributed),
        signed(removed.random),
        signed(left.attributed),
        signed(left.random),
    ]


def heat_map(found: UnitAttribution, item: int, words: Sequence[str], values: Sequence[Sequence[float]]) -> Counts:
    """Words of one item by layers: sums over a layer's units, `values` [layers, words]; * marks a layer's greatest."""
    headings = [f"words of {clean(found.items[item])}", *(clean(layer.address) for layer in found.layers)]
    greatest = [int(np.argmax(np.abs(column))) if len(column) else -1 for column in values]
    rows = [
        [clean(word), *(f"{signed(column[at])}{'*' if best == at else ' '}" for column, best in zip(values, greatest))]
        for at, word in enumerate(words)
    ]
    return Counts(headings, rows)


def tokens_shown(maps: Sequence[TokenMap], names: Sequence[str], kind: str) -> RenderableType:
    """What words give each unit at the site it is greatest at, one table an item and unit."""
    parts: list[RenderableType] = []
    for found in maps:
        for n, unit in enumerate(found.units.tolist()):
            value, base = float(found.height[n, 0]), float(found.base[n, 0])
            where = found.sites[int(found.site[n, 0])]
            parts.append(
                Text(
                    f"{clean(found.layer)}:{unit} at '{clean(where)}' of {clean(names[found.item])}: "
                    f"{signed(value)}, by the baseline {signed(base)} ({kind}, {found.mode} mode)",
                    style="bold",
                )
            )
            row = found.values[n, 0]
            most = max(float(np.abs(row).max(initial=0)), abs(float(found.rest[n, 0])))
            rows = [[clean(w), signed(float(v)), bar(float(v), most)] for w, v in zip(found.words, row, strict=True)]
            rows.append(["(special tokens)", signed(float(found.rest[n, 0])), bar(float(found.rest[n, 0]), most)])
            if kind == "integrated-gradients" and not found.through:
                rows.append(["(missing)", signed(float(found.gap[n, 0])), ""])
            parts += [
                Listing((Column("word", text=True, lead=True), Column("part"), Column("", text=True)), rows),
                Text(""),
            ]
    return Group(*parts)


def units_data(found: UnitAttribution, judged: Sequence[Judgement], top: int) -> dict[str, Any]:
    """The same as plain values."""
    ends = {layer.address: found.interval(layer.address) for layer in found.layers}
    return {
        "target": found.target,
        "method": found.method,
        "parameters": dict(found.parameters),
        "how": found.how,
        "items": len(found.items),
        "output": float(found.output.mean()),
        "counts": dict(found.counts),
        "layers": [
            {
                "layer": layer.address,
                "units": layer.width,
                "sum": float(np.nansum(found.mean(layer.address))),
                "rest": float(found.rest[layer.address].mean()) if layer.address in found.rest else None,
                "explains": float(found.explained[layer.address].mean()) if layer.address in found.explained else None,
                "missing": found.relative_gap(layer.address),
            }
            for layer in found.layers
        ],
        "units": [
            {
                "layer": address,
                "unit": unit,
                "mean": mean,
                "low": float(ends[address][0][unit]),
                "high": float(ends[address][1][unit]),
                "size": float(found.size(address)[unit]),
            }
            for address, unit, mean in found.units()[:top]
        ],
        "judged": [
            {
                "layer": each.layer,
                "units": len(each.units),
                "correlation": each.correlation,
                "low": each.low,
                "high": each.high,
                "comprehensiveness": each.comprehensiveness.attributed,
                "comprehensiveness_random": each.comprehensiveness.random,
                "sufficiency": each.sufficiency.attributed,
                "sufficiency_random": each.sufficiency.random,
            }
            for each in judged
        ],
    }


def tokens_data(maps: Sequence[TokenMap], names: Sequence[str]) -> list[dict[str, Any]]:
    """Maps as plain values, one a unit and item."""
    return [
        {
            "item": names[found.item],
            "layer": found.layer,
            "unit": unit,
            "site": int(found.site[n, 0]),
            "word": found.sites[int(found.site[n, 0])],
            "value": float(found.height[n, 0]),
            "base": float(found.base[n, 0]),
            "words": list(found.words),
            "parts": [float(part) for part in found.values[n, 0]],
            "special": float(found.rest[n, 0]),
            "mode": found.mode,
        }
        for found in maps
        for n, unit in enumerate(found.units.tolist())
    ]
