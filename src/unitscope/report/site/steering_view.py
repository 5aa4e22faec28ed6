"""All that pages of steering show, as plain data: what it changes beside random sets, its cost, and examples."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from unitscope.annex import Annex
from unitscope.report.plain import counted, effect, number
from unitscope.report.site.ablations import plain
from unitscope.report.site.data import SiteData
from unitscope.report.site.effect_words import amount, ends, known
from unitscope.report.site.parameters import parameter_rows

Row = dict[str, Any]
N_EXAMPLES, N_UNITS = 60, 24
"""Most examples and units that are shown."""
NAMES = {
    "none": "no edit",
    "steered": "steered",
    "random mean": "random units",
    "random best mean": "random, own best strength",
    "beyond": "steered less random",
    "beyond best": "steered less random at their best",
}
"""Sets of the main table in order; single draws stand below it."""
_KNOWN = (
    "selection", "draw", "n_units", "strength", "success", "effect", "low", "high", "p", "collateral", "collateral_low",
    "collateral_high",
)  # fmt: skip
_HIDDEN = (
    "notes", "note", "parameters", "metric", "property", "collateral", "rising", "remove", "chosen_units",
)  # fmt: skip


def steering_list(data: SiteData) -> list[Row]:
    """All that was steered, beside random sets."""
    return [_described(data, annex) for annex in data.beside.of("steering")]


def _described(data: SiteData, annex: Annex) -> Row:
    about = annex.about
    sets = [plain(row) for row in data.beside.rows(annex, "sets")]
    first = {row["selection"]: row for row in reversed(sets)}
    return {
        "name": annex.name,
        "property": str(about.get("property") or annex.name),
        "remove": bool(about.get("remove")),
        "metric": str(about.get("metric") or "success"),
        "harm": str(about.get("collateral") or "collateral damage"),
        "rising": bool(about.get("rising", True)),
        "sets": [plain(row, called=NAMES[name]) for name in NAMES if (row := first.get(name))],
        "draws": [row for row in sets if row["selection"] not in NAMES],
        "of": first,
        "facts": [name for name in (sets[0] if sets else ()) if name not in _KNOWN],
        "is_share": all(0 <= row["success"] <= 1 for row in _levels(sets)),
        "most": max((abs(row["effect"]) for row in sets if known(row["effect"])), default=1.0) or 1.0,
    }


def _levels(sets: Sequence[Row]) -> list[Row]:
    return [row for row in sets if known(row["success"]) and not row["selection"].startswith("beyond")]


def score(value: float | None) -> str:
    """A success: two decimals where it is a share.

    >>> score(0.625), score(12.5), score(None)
    ('.62', '12.5', '–')
    """
    return effect(value) if value is not None and abs(value) <= 1 else number(value)


def steering_view(data: SiteData, name: str) -> dict[str, Any]:
    """One steering. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("steering", name)
    found = _described(data, annex)
    examples = [plain(row) for row in data.beside.rows(annex, "examples")]
    strengths = [plain(row) for row in data.beside.rows(annex, "strengths")]
    units = list(annex.about.get("chosen_units") or ())
    notes = [annex.about.get("note"), *(annex.about.get("notes") or ())]
    if annex.about.get("within_limit") is False:
        notes.append("No strength kept the collateral damage within its limit: the mildest was taken.")
    return {
        **found,
        "lede": lede(found),
        "units": [_address(each) for each in units[:N_UNITS]],
        "n_units": len(units),
        "strengths": strengths,
        "chosen": next((row for row in strengths if row["chosen"]), None),
        "examples": [_example(row) for row in examples[:N_EXAMPLES]],
        "n_examples": len(examples),
        "notes": [str(note) for note in notes if note],
        "parameters": parameter_rows(annex, _HIDDEN),
    }


def lede(found: Row) -> list[str]:
    """What it changes and at what cost, beside no edit and random sets."""
    row, none, random = (found["of"].get(name) for name in ("steered", "none", "random mean"))
    if row is None:
        return ["Nothing was steered."]
    before = f"from {score(none['success'])} " if none else ""
    with_them = f"{counted(row['n_units'], 'unit')} at strength {number(row['strength'])}"
    said = [f"{with_them} take success ({found['metric']}) {before}to {score(row['success'])}{_change(row)}."]
    if random:
        said.append(f"Random sets of the same size: {score(random['success'])}{_change(random)}.")
    said.append(_against_random(found))
    if known(row["collateral"]):
        told = f"Collateral damage ({found['harm']}): {amount(row['collateral'])}"
        told += f" {ends(row['collateral_low'], row['collateral_high'])}" if known(row["collateral_low"]) else ""
        said.append(told + (f", random sets {amount(random['collateral'])}." if random else "."))
    return [each for each in said if each]


def _change(row: Row) -> str:
    if not known(row["effect"]):
        return ""
    return f" ({amount(row['effect'])}{' ' + ends(row['low'], row['high']) if known(row['low']) else ''})"


def _against_random(found: Row) -> str:
    """Whether the ranked units steer better than random ones, by the harder of the two comparisons."""
    beyond = [row for name in ("beyond", "beyond best") if (row := found["of"].get(name))]
    if not beyond or any(not known(row["low"]) for row in beyond):
        return ""
    sign = 1 if found["rising"] else -1
    least = [min(sign * row["low"], sign * row["high"]) for row in beyond]
    most = [max(sign * row["low"], sign * row["high"]) for row in beyond]
    if min(least) > 0:
        return "The ranked units steer better than random ones."
    if least[0] > 0:
        return "They steer better than random ones at this strength, but those do as well at a strength of their own."
    return "They steer worse than random ones." if most[0] < 0 else "They steer no better than random ones."


def _address(text: str) -> tuple[str, int]:
    layer, _, unit = text.rpartition(":")
    return layer, int(unit)


def strength_points(strengths: Sequence[Row]) -> list[Row]:
    """Points of the strengths tried on the development part, for the chart: the chosen number of units first."""
    tried = [row for row in strengths if row["selection"] != "none"]
    chosen = next((row["n_units"] for row in tried if row["chosen"]), None)
    tried.sort(key=lambda row: (row["n_units"] != chosen, row["selection"] != "steered"))
    return [
        {
            "panel": panel,
            "selection": f"{row['selection']}, {counted(row['n_units'], 'unit')}",
            "units": row["strength"],
            "value": row[panel],
            "low": None,
            "high": None,
            "chosen": bool(row["chosen"]),
        }
        for panel in ("success", "collateral")
        for row in tried
        if known(row[panel])
    ]


def _example(row: Row) -> Row:
    before, after = changed(str(row["before"] or ""), str(row["after"] or ""))
    success = None if row["success"] is None else bool(row["success"] > 0.5)
    original = row["original"] if row["original"] and row["original"] != row["before"] else ""
    return plain(
        row,
        before=before,
        after=after,
        same=row["before"] == row["after"],
        original=original,
        told=None if success is None else "as asked" if success else "not as asked",
    )


def changed(before: str, after: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts as runs of words, each with whether the other text has it not there.

    >>> changed("he sees dogs", "he saw dogs")
    ([('he', False), ('sees', True), ('dogs', False)], [('he', False), ('saw', True), ('dogs', False)])
    """
    first, second = ([word for word in re.split(r"\s+", text) if word] for text in (before, after))
    sides: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for tag, a, b, c, d in difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for side, words in zip(sides, (first[a:b], second[c:d]), strict=True):
            if words:
                side.append((" ".join(words), tag != "equal"))
    return sides
